/** Makes a chroot from the file that another host wrote. */

import { dirname, isAbsolute, join } from "@std/path/posix";
import { parseDefinition, settingsFor } from "../../config/load.ts";
import type { MachineSettings } from "../../config/settings.ts";
import { refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { type ExportHeader, MEMBERS, parseHeader, ZSTD } from "./export_format.ts";
import { changeChroot, UNKNOWN_ORIGIN } from "../build/create.ts";
import { requireOwned } from "../generations/ownership.ts";
import { definedNames } from "../find/list.ts";
import { buildAside } from "../build/build_aside.ts";
import type { ChrootName } from "../../config/chroot_name.ts";
import { PLAYBOOK_ENDINGS } from "../definition/playbook.ts";
import { readRecipe } from "../definition/recipe.ts";
import { requireProgram, runTool } from "../../linux/tool.ts";
import { makeTree, unpackTar } from "../../linux/tree.ts";
import type { ChrootContext } from "../generations/context.ts";

/**
 * Makes a generation of a chroot from a file. Nothing of the file is used before all of it is checked. Its
 * definition and its playbook are laid down where the chroot has none here.
 *
 * @param work How it is worked.
 * @param file The file.
 * @param wanted The chroot's name; undefined for that of the file.
 * @returns The chroot's name.
 * @throws {Failure} where the file is damaged, or nothing can be made of it.
 */
export async function importChroot(
  work: ChrootContext,
  file: string,
  wanted: ChrootName | undefined,
): Promise<ChrootName> {
  const { host } = work;
  await requireProgram(host, "zstd");
  if ((await host.files.stat(file))?.kind !== "file") {
    throw refused(`Cannot import ${file}: no such file`);
  }
  const name = wanted ?? (await peek(host, file)).name;
  await changeChroot(work, name, "import", () => importAs(work, file, name));
  return name;
}

async function importAs(work: ChrootContext, file: string, name: ChrootName): Promise<void> {
  const { host, config, interrupt } = work;
  await requireOwned(host, config.store, name, "import");
  let layDown = async () => {};
  await buildAside(work, name, async ({ scratch, tree }) => {
    const folder = join(scratch, "file");
    host.log.info(`Checking ${file}`);
    await unpack(host, file, folder, interrupt);
    const { record } = parseHeader(await host.files.read(join(folder, MEMBERS.header)), file);
    const said = await saidIn(work, name, folder);
    layDown = said.layDown;
    await makeTree(host, tree);
    await unpackTar(host, join(folder, MEMBERS.root), tree, interrupt);
    await host.files.remove(join(folder, MEMBERS.root)); // it is as large as the tree
    const { origin = UNKNOWN_ORIGIN, pin = null, image = null, recipe = null } = record ?? {};
    return { origin, pin, image, recipe, settings: said.settings };
  });
  await layDown();
}

/** Lays out what is in a file, and checks it. */
async function unpack(
  host: Host,
  file: string,
  folder: string,
  interrupt: AbortSignal,
): Promise<void> {
  await host.files.makeDirectory(folder);
  const argv = ["tar", "--extract", `--file=${file}`, "--force-local", ZSTD] as const;
  const words = ["--no-same-owner", `--directory=${folder}`];
  await runTool(host, [...argv, ...words], {}, interrupt).catch((error) => {
    throw interrupt.aborted ? error : damaged(file, "it cannot be unpacked");
  });
  const members = await host.files.list(folder);
  for (const member of members) {
    const isOurs = (Object.values(MEMBERS) as string[]).includes(member);
    const stat = await host.files.lstat(join(folder, member));
    if (!isOurs || stat?.kind !== "file") throw damaged(file, `${member} does not belong there`);
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
    throw interrupt.aborted ? error : damaged(file, "a checksum does not match");
  });
}

const VERIFY_SCRIPT = `cd "$1"; sha256sum --check --strict --quiet ${MEMBERS.sums}`;

function damaged(file: string, reason: string): Error {
  return refused(`Cannot import ${file}: ${reason}`, "Copy it once more, or export it anew");
}

/** What a file says of itself, before the rest of it is read. */
async function peek(host: Host, file: string): Promise<ExportHeader> {
  const argv = ["tar", "--extract", "--to-stdout", "--occurrence=1", `--file=${file}`] as const;
  const words = ["--force-local", ZSTD, "--", MEMBERS.header];
  const { stdout } = await host.processes.capture([...argv, ...words]);
  return parseHeader(stdout, file);
}

/** What the definition and the playbook of a file mean here. */
interface Said {
  readonly settings: MachineSettings;
  /** Gives the chroot both of them, where it had neither. */
  readonly layDown: () => Promise<void>;
}

async function saidIn(work: ChrootContext, name: ChrootName, folder: string): Promise<Said> {
  const { host, config } = work;
  const own = await readRecipe(host, config, name);
  const text = await host.files.read(join(folder, MEMBERS.definition));
  const playbook = await host.files.read(join(folder, MEMBERS.playbook));
  const hasOwn = (await definedNames(host, config)).has(name);
  if (hasOwn || (text === null && playbook === null)) {
    return { settings: own.settings, layDown: () => Promise.resolve() };
  }
  const path = join(config.definitions, `${name}.toml`);
  const { build, machine } = await parseDefinition(text ?? "", path);
  const named = build.playbook ?? `${name}${PLAYBOOK_ENDINGS[0]}`;
  if (isAbsolute(named) && await host.files.stat(named) === null) {
    throw refused(`Cannot use its definition: there is no playbook ${named} here`, "Put it there");
  }
  const place = isAbsolute(named) ? named : join(config.definitions, named);
  return {
    settings: settingsFor(config, machine),
    async layDown() {
      await host.files.makeDirectory(config.definitions, 0o755);
      await host.files.makeDirectory(dirname(place), 0o755);
      const isThere = await host.files.stat(place) !== null; // others may share it
      if (playbook !== null && !isThere) await host.files.replace(place, playbook);
      if (text !== null) await host.files.replace(path, text);
      host.log.info(`Its definition is in ${config.definitions} now`);
    },
  };
}
