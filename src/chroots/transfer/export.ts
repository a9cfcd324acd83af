/** Writes a chroot into one file, to be taken to another host. */

import { basename, dirname, join } from "@std/path/posix";
import { refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { type ExportHeader, MEMBERS, ZSTD } from "./export_format.ts";
import type { Chroot } from "../find/chroot.ts";
import { currentRecord } from "../build/create.ts";
import { findDefinition } from "../definition/definition.ts";
import { currentTree } from "../find/lookup.ts";
import { whileLocked } from "../generations/lock.ts";
import type { ChrootName } from "../../config/chroot_name.ts";
import { findPlaybook } from "../definition/playbook.ts";
import { inScratch } from "../generations/scratch.ts";
import { requireProgram, runTool } from "../../linux/tool.ts";
import { packTar } from "../../linux/tree.ts";
import type { ChrootContext } from "../generations/context.ts";

/**
 * Writes the current generation of a chroot into a file, with its definition and its playbook.
 *
 * @param work How it is worked.
 * @param chroot The chroot.
 * @param file Where; what is there is replaced when all is well.
 * @throws {Failure} where that fails.
 */
export async function exportChroot(
  work: ChrootContext,
  chroot: Chroot,
  file: string,
): Promise<void> {
  const { host, config, interrupt } = work;
  await requireProgram(host, "zstd");
  if ((await host.files.stat(dirname(file)))?.kind !== "directory") {
    throw refused(`Cannot write ${file}: no such folder`);
  }
  await whileLocked(
    work,
    chroot.name,
    () =>
      inScratch(host, config.store, chroot.name, async (scratch) => {
        const { path: tree } = await currentTree(host, config.store, chroot.name);
        host.log.info(`Packing ${tree}`);
        await packTar(host, tree, join(scratch, MEMBERS.root), interrupt);
        await describe(work, chroot.name, scratch);
        const members = await host.files.list(scratch);
        const named = Object.values(MEMBERS).filter((member) => members.includes(member));
        await runTool(
          host,
          ["sh", "-euc", CHECKSUM_SCRIPT, "sh", scratch, ...named],
          {},
          interrupt,
        );
        await pack(host, scratch, [...named, MEMBERS.sums], file, interrupt);
      }),
  );
}

/** Words: the folder, then its files. */
const CHECKSUM_SCRIPT = `cd "$1"; shift; sha256sum -- "$@" >${MEMBERS.sums}`;

async function describe(work: ChrootContext, name: ChrootName, scratch: string): Promise<void> {
  const { host, config } = work;
  const record = await currentRecord(work, name);
  const about: ExportHeader = { format: 1, name, record };
  await host.files.write(join(scratch, MEMBERS.header), JSON.stringify(about, null, 2) + "\n");
  const found = await findDefinition(host, config, name);
  if (found !== null) await host.files.write(join(scratch, MEMBERS.definition), found.text);
  const playbook = await findPlaybook(host, config, name, found);
  if (playbook !== null) await host.files.write(join(scratch, MEMBERS.playbook), playbook.text);
}

async function pack(
  host: Host,
  folder: string,
  members: readonly string[],
  file: string,
  interrupt: AbortSignal,
): Promise<void> {
  const aside = join(dirname(file), `.${basename(file)}.${host.pid()}`);
  try {
    host.log.info(`Writing ${file}`);
    await host.files.write(aside, "", 0o600); // its tree and its setup are not for everybody to read
    const argv = ["tar", "--create", `--file=${aside}`, "--force-local", ZSTD] as const;
    await runTool(host, [...argv, `--directory=${folder}`, "--", ...members], {}, interrupt);
    await runTool(host, ["sync", aside], {}, interrupt);
    await host.files.rename(aside, file);
  } finally {
    await host.files.remove(aside);
  }
}
