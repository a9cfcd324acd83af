/** Makes a chroot from a file that chroot-export wrote, perhaps on another host. */

import { dirname, isAbsolute, join } from "@std/path/posix";
import type { ChrootName } from "../../config/chroot_name.ts";
import { parseDefinition, settingsFor } from "../../config/load.ts";
import type { MachineSettings } from "../../config/settings.ts";
import { refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { requireProgram, runTool } from "../../linux/tool.ts";
import { makeTree, unpackTar } from "../../linux/tree.ts";
import { finishBuild } from "../build/finish_build.ts";
import { definedNames } from "../definition/defined_names.ts";
import { PLAYBOOK_ENDINGS } from "../definition/playbook.ts";
import { readRecipe } from "../definition/recipe.ts";
import { openBuildFolder } from "../generations/build_folder.ts";
import { changeChroot } from "../generations/change_chroot.ts";
import type { ChrootContext } from "../generations/context.ts";
import { requireOwned } from "../generations/ownership.ts";
import { UNKNOWN_ORIGIN } from "../generations/record.ts";
import { recoverStore } from "../generations/recover.ts";
import { type ExportHeader, MEMBERS, parseHeader, ZSTD } from "./export_format.ts";

/**
 * Makes a generation of a chroot from a file, all of which is checked before any of it is used.
 * Also writes the file's definition and playbook, where the chroot has neither on this host.
 *
 * @param wanted The chroot's name; undefined for the name in the file.
 * @returns The chroot's name.
 * @throws {Failure} where the file is damaged, or jobs could not run in its tree.
 */
export async function importChroot(
  context: ChrootContext,
  file: string,
  wanted: ChrootName | undefined,
): Promise<ChrootName> {
  const { host, config } = context;
  await requireProgram(host, "zstd");
  if ((await host.files.stat(file))?.kind !== "file") {
    throw refused(
      `Cannot import ${file}: no such file`,
      "Give the path of a file of chroot-export",
    );
  }
  const name = wanted ?? (await readHeader(host, file)).name;
  await recoverStore(host, config.store);
  await changeChroot(context, name, "import", () => importAs(context, file, name));
  return name;
}

async function importAs(context: ChrootContext, file: string, name: ChrootName): Promise<void> {
  const { host, config, interrupt } = context;
  await requireOwned(host, config.store, name, "import");
  await using folder = await openBuildFolder(host, config.store, name);
  const members = join(folder.scratch, "file");
  host.log.info(`Checking ${file}`);
  await unpackMembers(host, file, members, interrupt);
  const { record, stranger } = parseHeader(
    await host.files.read(join(members, MEMBERS.header)),
    file,
  );
  const own = await readRecipe(host, config, name);
  const definition = await definitionIn(context, name, members);
  await makeTree(host, folder.tree);
  const root = join(members, MEMBERS.root);
  await unpackTar(host, root, folder.tree, interrupt);
  await host.files.remove(root); // as large as the tree
  const { origin = UNKNOWN_ORIGIN, pin = null, image = null, recipe = null } = record ?? {};
  const { settings } = definition ?? own;
  await finishBuild(context, name, { origin, pin, stranger, image, recipe, settings });
  if (definition !== null) await writeDefinition(context, definition);
}

/** Reads the header of a file, before the rest is unpacked. */
async function readHeader(host: Host, file: string): Promise<ExportHeader> {
  const argv = ["tar", "--extract", "--to-stdout", "--occurrence=1", `--file=${file}`] as const;
  const words = ["--force-local", ZSTD, "--", MEMBERS.header];
  const { stdout } = await host.processes.capture([...argv, ...words]);
  return parseHeader(stdout, file);
}

/** Unpacks the members of a file, and checks that they are the expected ones and undamaged. */
async function unpackMembers(
  host: Host,
  file: string,
  folder: string,
  interrupt: AbortSignal,
): Promise<void> {
  await host.files.makeDirectory(folder);
  const argv = ["tar", "--extract", `--file=${file}`, "--force-local", ZSTD] as const;
  const words = ["--no-same-owner", `--directory=${folder}`];
  await runTool(host, [...argv, ...words], {}, interrupt).catch((error) => {
    throw interrupt.aborted ? error : damaged(file, "it cannot be unpacked", error);
  });
  const members = await host.files.list(folder);
  for (const member of members) {
    const isKnown = (Object.values(MEMBERS) as string[]).includes(member);
    const stat = await host.files.lstat(join(folder, member));
    if (!isKnown || stat?.kind !== "file") throw damaged(file, `${member} does not belong there`);
  }
  for (const member of [MEMBERS.header, MEMBERS.root, MEMBERS.sums]) {
    if (!members.includes(member)) throw damaged(file, `${member} is missing`);
  }
  await checkSums(host, file, folder, members, interrupt);
}

async function checkSums(
  host: Host,
  file: string,
  folder: string,
  members: readonly string[],
  interrupt: AbortSignal,
): Promise<void> {
  const lines = (await host.files.read(join(folder, MEMBERS.sums)) ?? "").trim().split("\n");
  const summed = lines.map((line) => line.match(/^[0-9a-f]{64} [ *](\S+)$/)?.[1]).sort();
  const others = members.filter((member) => member !== MEMBERS.sums).sort();
  if (summed.join(" ") !== others.join(" ")) throw damaged(file, "its checksums are incomplete");
  const argv = ["sh", "-euc", VERIFY_SCRIPT, "sh", folder] as const;
  await runTool(host, argv, {}, interrupt).catch((error) => {
    throw interrupt.aborted ? error : damaged(file, "a checksum does not match", error);
  });
}

/** Arguments: the folder of the members. */
export const VERIFY_SCRIPT = `cd "$1"; sha256sum --check --strict --quiet ${MEMBERS.sums}`;

function damaged(file: string, reason: string, cause?: unknown): Error {
  const hint = "Copy the file again, or export it again";
  return refused(`Cannot import ${file}: ${reason}`, hint, cause);
}

/**
 * The definition and the playbook of a file, checked, with the places where this host keeps them.
 */
interface ImportedDefinition {
  readonly path: string;
  readonly text: string | null;
  readonly playbookPath: string;
  readonly playbook: string | null;
  readonly settings: MachineSettings;
}

/**
 * Reads the definition of a file; null where the file has none, or the chroot has its own on this
 * host.
 */
async function definitionIn(
  { host, config }: ChrootContext,
  name: ChrootName,
  members: string,
): Promise<ImportedDefinition | null> {
  const text = await host.files.read(join(members, MEMBERS.definition));
  const playbook = await host.files.read(join(members, MEMBERS.playbook));
  if (text === null && playbook === null) return null;
  if ((await definedNames(host, config)).has(name)) return null;
  const path = join(config.definitions, `${name}.toml`);
  const { build, machine } = await parseDefinition(text ?? "", path);
  const named = build.playbook ?? `${name}${PLAYBOOK_ENDINGS[0]}`;
  // A file must not write outside of the folder of definitions, so that such a playbook has to be
  // there.
  if (isAbsolute(named) && await host.files.stat(named) === null) {
    throw refused(
      `Cannot use the file's definition: there is no playbook ${named} on this host`,
      "Copy the playbook there",
    );
  }
  const playbookPath = isAbsolute(named) ? named : join(config.definitions, named);
  return { path, text, playbookPath, playbook, settings: settingsFor(config, machine) };
}

async function writeDefinition(
  { host, config }: ChrootContext,
  { path, text, playbookPath, playbook }: ImportedDefinition,
): Promise<void> {
  await host.files.makeDirectory(config.definitions, 0o755);
  await host.files.makeDirectory(dirname(playbookPath), 0o755);
  const exists = await host.files.stat(playbookPath) !== null; // other definitions may share it
  if (playbook !== null && !exists) await host.files.replace(playbookPath, playbook);
  if (text !== null) await host.files.replace(path, text);
  host.log.info(`Wrote its definition to ${config.definitions}`);
}
