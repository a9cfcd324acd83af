/** Ansible playbooks of chroots, and the variables in them that this program reads. */

import { isAbsolute, join } from "@std/path/posix";
import type { ChrootName } from "../../config/chroot_name.ts";
import type { Config, OwnSettings } from "../../config/settings.ts";
import { messageOf, refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import type { FoundDefinition } from "./find_definition.ts";

/** A playbook, with the values of its variables. */
export interface Playbook {
  readonly path: string;
  readonly text: string;
  /** `nspawn_runner_chroot_suite` */
  readonly suite: string | undefined;
  /** `nspawn_runner_maint_recreate` */
  readonly recreate: boolean;
  /** `nspawn_runner_mirror`, `nspawn_runner_memory_max` and the like. */
  readonly machine: OwnSettings;
}

/** The endings of a playbook that is named like its chroot, best first. */
export const PLAYBOOK_ENDINGS = [".yaml", ".yml"] as const;

/**
 * Finds the playbook of a chroot: the one that its definition names, else one that is named like
 * the chroot, first beside the definition.
 *
 * @param found The chroot's definition.
 * @returns Null where the chroot has none.
 * @throws {Failure} where the definition names a file that does not exist.
 */
export async function findPlaybook(
  host: Host,
  config: Config,
  name: ChrootName,
  found: FoundDefinition | null,
): Promise<Playbook | null> {
  const path = found === null ? null : playbookPath(found);
  if (path !== null) {
    const text = await readFile(host, path);
    if (text !== null) return await readPlaybook(host, path, text);
    throw refused(
      `Cannot read playbook ${path}: no such file`,
      `Create the file, or remove playbook from the definition of ${name}`,
    );
  }
  const folders = [config.definitions, config.store];
  for (const folder of found === null ? folders : [found.folder, ...folders]) {
    for (const ending of PLAYBOOK_ENDINGS) {
      const path = join(folder, name + ending);
      const text = await readFile(host, path);
      if (text !== null) return await readPlaybook(host, path, text);
    }
  }
  return null;
}

/** Returns the path of the playbook that a definition names; null where it names none. */
export function playbookPath({ folder, definition }: FoundDefinition): string | null {
  const { playbook } = definition.build;
  if (playbook === undefined) return null;
  return isAbsolute(playbook) ? playbook : join(folder, playbook);
}

/** Reads a file. A directory of that name is a chroot. */
async function readFile(host: Host, path: string): Promise<string | null> {
  return (await host.files.stat(path))?.kind === "file" ? await host.files.read(path) : null;
}

async function readPlaybook(host: Host, path: string, text: string): Promise<Playbook> {
  const variables = await variablesIn(host, path, text);
  const { settingsOfVariables } = await import("../../config/load.ts");
  return {
    path,
    text,
    suite: suiteOf(host, path, variables["nspawn_runner_chroot_suite"]),
    recreate: isTrue(variables["nspawn_runner_maint_recreate"]),
    machine: settingsOfVariables(variables, path),
  };
}

async function variablesIn(
  host: Host,
  path: string,
  text: string,
): Promise<Record<string, string>> {
  // Every job comes here, and loading the parser would take longer than this search.
  if (!text.includes("nspawn_runner_")) return {};
  try {
    return await playbookVariables(text);
  } catch (error) {
    // Ansible may accept what this parser does not, so that this is no reason to refuse the
    // playbook.
    const [reason] = messageOf(error).split("\n");
    host.log.warn(`No variables are read from ${path}: ${reason}`);
    return {};
  }
}

function suiteOf(host: Host, path: string, text: string | undefined): string | undefined {
  if (text === undefined || !text.includes("{{")) return text || undefined;
  host.log.warn(`The suite in ${path} is ignored: only Ansible reads templates`);
  return undefined;
}

/**
 * Reads the variables of a playbook's first play that are scalars, each as its text.
 *
 * @throws {Error} where the text is not YAML.
 */
export async function playbookVariables(text: string): Promise<Record<string, string>> {
  const { parse } = await import("@std/yaml/parse");
  // In this schema every scalar is text: no `yes`, number or object is made of it.
  const plays = parse(withoutTags(text), { schema: "failsafe", allowDuplicateKeys: true });
  return variablesOf(plays);
}

function variablesOf(plays: unknown): Record<string, string> {
  if (!Array.isArray(plays)) return {};
  // An import_playbook is no play, but it may have variables.
  const first = plays.find((play) => isMap(play) && ("hosts" in play || "vars" in play));
  const found: Record<string, string> = Object.create(null);
  const vars = isMap(first) ? first["vars"] : undefined;
  for (const map of Array.isArray(vars) ? vars : [vars]) {
    if (isMap(map)) collect(map, found);
  }
  return found;
}

function collect(map: Record<string, unknown>, found: Record<string, string>): void {
  const merged = map["<<"]; // the map's own keys come after it, and replace it
  for (const source of Array.isArray(merged) ? merged.toReversed() : [merged]) {
    if (isMap(source)) collect(source, found);
  }
  for (const [key, value] of Object.entries(map)) {
    if (typeof value === "string") found[key] = value;
  }
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Removes tags from YAML, so that of `!vault`, `!unsafe` and tags that would create objects only
 * the text remains. Text that looks like a tag inside of a scalar is removed as well, which does
 * not matter for the variables that are read.
 */
export function withoutTags(text: string): string {
  return text.replaceAll(
    /(^|[\s[{,:-])!(?:<[^>\s]*>|[\w.:/!%~@&+$*-]*)(?:[ \t]+|(?=[\s,\]}]|$))/gm,
    "$1",
  );
}

/** Tells whether YAML 1.1, and so Ansible, takes a text for true. */
function isTrue(text: string | undefined): boolean {
  return text !== undefined && /^(y|yes|true|on|1)$/i.test(text);
}
