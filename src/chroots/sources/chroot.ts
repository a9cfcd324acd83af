/** A source: another chroot. */

import { type ChrootName, isChrootName } from "../../config/chroot_name.ts";
import { hostFailure, refused } from "../../failure.ts";
import { copyTree, removeTree } from "../../linux/tree.ts";
import { findDefinition } from "../definition/find_definition.ts";
import { findTree } from "../find/lookup.ts";
import type { ChrootContext } from "../generations/context.ts";
import { whileChrootLocked } from "../generations/lock.ts";
import { currentNumber, readRecord } from "../generations/record.ts";
import { ChrootFailure } from "../generations/chroot_failure.ts";
import { strangerOf } from "../generations/stranger.ts";
import type { Source } from "./source.ts";

/**
 * Returns the current generation of another chroot as a source.
 *
 * @param base The other chroot, as the definition of `name` names it.
 * @throws {Failure} where there is no such chroot, or it extends this one.
 */
export async function chrootSource(
  context: ChrootContext,
  name: ChrootName,
  base: string,
): Promise<Source> {
  const { host, config: { store } } = context;
  await refuseCycle(context, name);
  const tree = isChrootName(base) ? await findTree(host, store, base) : null;
  if (!isChrootName(base) || tree === null) {
    throw refused(
      `Cannot start from chroot ${base}: no such chroot`,
      `Create it first: nspawn-runner chroot-create ${base}`,
    );
  }
  const number = await currentNumber(host, store, base);
  const record = number === null ? null : await readRecord(host, store, base, number);
  return {
    origin: `extends:${base}`,
    how: `from chroot ${base}${number === null ? "" : `, generation ${number}`}`,
    pin: record === null ? null : `${number} of ${record.made}`,
    stranger: await strangerOf(host, tree),
    isImmutable: false,
    installsPackages: false,
    // Under the other chroot's lock, so that no maintenance removes its tree meanwhile.
    fill: (_host, paths, interrupt) =>
      whileChrootLocked(context, base, async () => {
        if (await findTree(host, store, base) !== tree) {
          throw hostFailure(
            `Cannot start from chroot ${base}: it was changed just now`,
            "Try again",
          );
        }
        await removeTree(host, paths.tree);
        await copyTree(host, tree, paths.tree, interrupt);
        return record?.image ?? null;
      }),
  };
}

async function refuseCycle({ host, config }: ChrootContext, name: ChrootName): Promise<void> {
  const chain = [name];
  for (;;) {
    const base = (await findDefinition(host, config, chain.at(-1)!))?.definition.build.extends;
    if (base === undefined || !isChrootName(base)) return;
    if (chain.includes(base)) {
      throw new ChrootFailure(
        "refused",
        base,
        `Cannot start from chroot ${base}: the definitions extend each other`,
        [...chain, base].join(" extends "),
      );
    }
    chain.push(base);
  }
}
