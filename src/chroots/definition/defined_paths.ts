/** The paths of the host that the configuration and definitions name for machines and builds. */

import { join } from "@std/path/posix";
import type { Config } from "../../config/settings.ts";
import type { Host } from "../../host/host.ts";
import { definedNames } from "./defined_names.ts";
import { usableDefinition } from "./find_definition.ts";
import { PLAYBOOK_ENDINGS, playbookPath } from "./playbook.ts";

/** Paths of the host, as they are written. */
export interface DefinedPaths {
  /** The folders that jobs of any chroot write to. */
  readonly writable: readonly string[];
  /** The playbooks that definitions name. */
  readonly playbooks: readonly string[];
  /** Definitions and playbooks in the folders for these that are symlinks. */
  readonly links: readonly string[];
}

/**
 * Returns the paths in the configuration and in all definitions. A definition that cannot be used is left out: no machine
 * starts by it.
 */
export async function definedPaths(host: Host, config: Config): Promise<DefinedPaths> {
  const names = [...await definedNames(host, config)];
  const read = names.map((name) => usableDefinition(host, config, name, ["binds", "playbook"]));
  const found = (await Promise.all(read)).filter((one) => one !== null);
  const defined = found.map(({ definition }) => definition.machine.binds ?? []);
  const binds = [config.binds ?? [], ...defined].flat().map((bind) => bind.split(":"));
  return {
    writable: binds.filter(([, , mode]) => mode !== "ro").map(([from = ""]) => from),
    playbooks: found.flatMap((one) => playbookPath(one) ?? []),
    links: await linksIn(host, [config.definitions, config.store]),
  };
}

async function linksIn(host: Host, folders: readonly string[]): Promise<string[]> {
  const links: string[] = [];
  for (const folder of folders) {
    for (const file of await host.files.list(folder)) {
      if (![".toml", ...PLAYBOOK_ENDINGS].some((ending) => file.endsWith(ending))) continue;
      const path = join(folder, file);
      if (await host.files.readLink(path) !== null) links.push(path);
    }
  }
  return links;
}
