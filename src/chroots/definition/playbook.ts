/** Ansible playbooks of chroots: found, and read for the variables that are ours. */

import { isAbsolute, join } from "@std/path/posix";
import type { Config, OwnSettings } from "../../config/settings.ts";
import { messageOf, refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import type { FoundDefinition } from "./definition.ts";
import type { ChrootName } from "../../config/chroot_name.ts";

/** What a playbook says of its chroot. */
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

/** What playbooks are called after their chroot's name, best first. */
export const PLAYBOOK_ENDINGS = [".yaml", ".yml"] as const;

/**
 * The playbook of a chroot: the one that its definition names, else one that is called like it, beside the
 * definition first.
 *
 * @param host The outside.
 * @param config Where playbooks are: the definitions' folder before the store.
 * @param name The chroot.
 * @param found Its definition, where it has one.
 * @returns Null where it has none.
 * @throws {Failure} where the one that is named is not there.
 */
export async function findPlaybook(
  host: Host,
  config: Config,
  name: ChrootName,
  found: FoundDefinition | null,
): Promise<Playbook | null> {
  const wanted = found?.definition.build.playbook;
  if (found !== null && wanted !== undefined) {
    const path = isAbsolute(wanted) ? wanted : join(found.folder, wanted);
    const text = await readFile(host, path);
    if (text !== null) return await readPlaybook(host, path, text);
    throw refused(
      `Cannot read playbook ${path}: no such file`,
      `The definition of ${name} names it`,
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

/** A directory of that name is a chroot, and no playbook. */
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
  if (!text.includes("nspawn_runner_")) return {}; // every job reads it: a parser costs more than that
  try {
    return await playbookVariables(text);
  } catch (error) {
    // Ansible may well read what we cannot, and what a playbook does is its affair alone.
    const [reason] = messageOf(error).split("\n");
    host.log.warn(`No variables are read from ${path}: ${reason}`);
    return {};
  }
}

function suiteOf(host: Host, path: string, text: string | undefined): string | undefined {
  if (text === undefined || !text.includes("{{")) return text || undefined;
  host.log.warn(`The suite in ${path} is not read: templates are for Ansible alone`);
  return undefined;
}

/**
 * The variables of a playbook's first play that are plain values.
 *
 * @param text The playbook.
 * @returns Each as the text that stands there.
 * @throws {Error} where it is no YAML.
 */
export async function playbookVariables(text: string): Promise<Record<string, string>> {
  const { parse } = await import("@std/yaml/parse");
  // By this schema every scalar is text, and nothing is made of it, whatever it looks like.
  const plays = parse(withoutTags(text), { schema: "failsafe", allowDuplicateKeys: true });
  return variablesOf(plays);
}

function variablesOf(plays: unknown): Record<string, string> {
  if (!Array.isArray(plays)) return {};
  // An import is no play, but it may have variables too.
  const first = plays.find((play) => isMap(play) && ("hosts" in play || "vars" in play));
  const found: Record<string, string> = Object.create(null);
  const vars = isMap(first) ? first["vars"] : undefined;
  for (const map of Array.isArray(vars) ? vars : [vars]) {
    if (isMap(map)) collect(map, found);
  }
  return found;
}

function collect(map: Record<string, unknown>, found: Record<string, string>): void {
  const merged = map["<<"]; // what stands in the map itself wins
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
 * Takes tags away, so that `!vault`, `!unsafe` and those that would make objects leave nothing but the
 * text that follows them. What looks like a tag inside of a text goes too: that text changes, and what
 * is read here does not.
 *
 * @param text A YAML document.
 * @returns The same without tags.
 */
export function withoutTags(text: string): string {
  return text.replaceAll(
    /(^|[\s[{,:-])!(?:<[^>\s]*>|[\w.:/!%~@&+$*-]*)(?:[ \t]+|(?=[\s,\]}]|$))/gm,
    "$1",
  );
}

/** What YAML 1.1, and so Ansible, takes for true. */
function isTrue(text: string | undefined): boolean {
  return text !== undefined && /^(y|yes|true|on|1)$/i.test(text);
}
