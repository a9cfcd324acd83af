import { hostFailure, refused } from "../../failure.ts";
import { findTree } from "../find/lookup.ts";
import { currentNumber, readRecord } from "../generations/record.ts";
import { whileLocked } from "../generations/lock.ts";
import { type ChrootName, isChrootName } from "../../config/chroot_name.ts";
import { copyTree, removeTree } from "../../linux/tree.ts";
import { findDefinition } from "../definition/definition.ts";
import type { ChrootContext } from "../generations/context.ts";
import type { Source } from "./source.ts";

/**
 * The current generation of another chroot.
 *
 * @param work How it is worked.
 * @param name Whose definition names it.
 * @param base The other one.
 * @returns The source.
 * @throws {Failure} where there is no such chroot, or it starts from this one.
 */
export async function chrootSource(
  work: ChrootContext,
  name: ChrootName,
  base: string,
): Promise<Source> {
  const { host, config: { store } } = work;
  await refuseCircle(work, name);
  const tree = isChrootName(base) ? await findTree(host, store, base) : null;
  if (!isChrootName(base) || tree === null) {
    throw refused(
      `Cannot start from chroot ${base}: there is none of that name`,
      `Make it first: nspawn-runner chroot-create ${base}`,
    );
  }
  const number = await currentNumber(host, store, base);
  const record = number === null ? null : await readRecord(host, store, base, number);
  return {
    origin: `extends:${base}`,
    how: `from chroot ${base}${number === null ? "" : `, generation ${number}`}`,
    pin: record === null ? null : `${number} of ${record.made}`,
    isFixed: false,
    bringsPackages: false,
    // Locked, so that no maintenance of it removes the tree meanwhile.
    fill: (_host, places, interrupt) =>
      whileLocked(work, base, async () => {
        if (await findTree(host, store, base) !== tree) {
          throw hostFailure(
            `Cannot start from chroot ${base}: it was changed just now`,
            "Try again",
          );
        }
        await removeTree(host, places.tree);
        await copyTree(host, tree, places.tree, interrupt);
        return record?.image ?? null;
      }),
  };
}

async function refuseCircle({ host, config }: ChrootContext, name: ChrootName): Promise<void> {
  const way = [name];
  for (;;) {
    const base = (await findDefinition(host, config, way.at(-1)!))?.definition.build.extends;
    if (base === undefined || !isChrootName(base)) return;
    if (way.includes(base)) {
      throw refused(
        `Cannot start from chroot ${base}: definitions go round in a circle`,
        [...way, base].join(" extends "),
      );
    }
    way.push(base);
  }
}
