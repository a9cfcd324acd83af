/** Writes a chroot into one file, to be copied to another host. */

import { basename, dirname, join } from "@std/path/posix";
import type { ChrootName } from "../../config/chroot_name.ts";
import { refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { requireProgram, runTool } from "../../linux/tool.ts";
import { packTar } from "../../linux/tree.ts";
import { findDefinition } from "../definition/find_definition.ts";
import { findPlaybook } from "../definition/playbook.ts";
import type { Chroot } from "../find/chroot.ts";
import { currentTree } from "../find/lookup.ts";
import { openBuildFolder } from "../generations/build_folder.ts";
import type { ChrootContext } from "../generations/context.ts";
import { whileChrootLocked } from "../generations/lock.ts";
import { currentRecord } from "../generations/record.ts";
import { strangerOf } from "../generations/stranger.ts";
import { type ExportHeader, MEMBERS, ZSTD } from "./export_format.ts";

/**
 * Writes the current generation of a chroot into a file, with its definition and its playbook.
 *
 * @param file The file's path; an existing file is replaced once the new one is complete.
 */
export async function exportChroot(
  context: ChrootContext,
  { name }: Chroot,
  file: string,
): Promise<void> {
  const { host } = context;
  await requireProgram(host, "zstd");
  if ((await host.files.stat(dirname(file)))?.kind !== "directory") {
    throw refused(`Cannot write ${file}: no such folder`, `Create it: mkdir -p ${dirname(file)}`);
  }
  await whileChrootLocked(context, name, () => exportLocked(context, name, file));
}

async function exportLocked(
  context: ChrootContext,
  name: ChrootName,
  file: string,
): Promise<void> {
  const { host, config, interrupt } = context;
  await using folder = await openBuildFolder(host, config.store, name);
  const { scratch } = folder;
  const { path: tree } = await currentTree(host, config.store, name);
  host.log.info(`Packing ${tree}`);
  await packTar(host, tree, join(scratch, MEMBERS.root), interrupt);
  await writeDescription(context, name, tree, scratch);
  const members = await host.files.list(scratch);
  const ordered = Object.values(MEMBERS).filter((member) => members.includes(member));
  const argv = ["sh", "-euc", CHECKSUM_SCRIPT, "sh", scratch, ...ordered] as const;
  await runTool(host, argv, {}, interrupt);
  await pack(host, scratch, [...ordered, MEMBERS.sums], file, interrupt);
}

/** Arguments: the folder, then its files. */
export const CHECKSUM_SCRIPT = `cd "$1"; shift; sha256sum -- "$@" >${MEMBERS.sums}`;

/** Writes the small members: header, definition, playbook. */
async function writeDescription(
  { host, config }: ChrootContext,
  name: ChrootName,
  tree: string,
  folder: string,
): Promise<void> {
  const record = await currentRecord(host, config.store, name);
  const header: ExportHeader = { format: 1, name, record, stranger: await strangerOf(host, tree) };
  await host.files.write(join(folder, MEMBERS.header), JSON.stringify(header, null, 2) + "\n");
  const found = await findDefinition(host, config, name);
  if (found !== null) await host.files.write(join(folder, MEMBERS.definition), found.text);
  const playbook = await findPlaybook(host, config, name, found);
  if (playbook !== null) await host.files.write(join(folder, MEMBERS.playbook), playbook.text);
}

async function pack(
  host: Host,
  folder: string,
  members: readonly string[],
  file: string,
  interrupt: AbortSignal,
): Promise<void> {
  const unfinished = join(dirname(file), `.${basename(file)}.${host.pid()}`);
  try {
    host.log.info(`Writing ${file}`);
    await host.files.write(unfinished, "", 0o600); // the tree may hold what only root may read
    const argv = ["tar", "--create", `--file=${unfinished}`, "--force-local", ZSTD] as const;
    await runTool(host, [...argv, `--directory=${folder}`, "--", ...members], {}, interrupt);
    await runTool(host, ["sync", unfinished], {}, interrupt);
    await host.files.rename(unfinished, file);
  } finally {
    await host.files.remove(unfinished);
  }
}
