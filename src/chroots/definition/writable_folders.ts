/** The folders of the host that jobs of any chroot write to. */

import type { Config } from "../../config/settings.ts";
import type { Host } from "../../host/host.ts";
import { definedNames } from "./defined_names.ts";
import { findDefinition } from "./find_definition.ts";

/**
 * Returns the sources of all binds that are not read-only, of the configuration and of all definitions, as they are
 * written. A definition that cannot be used is left out: no machine starts by it.
 */
export async function writableFolders(host: Host, config: Config): Promise<string[]> {
  const binds = [...config.binds ?? []];
  for (const name of await definedNames(host, config)) {
    const found = await findDefinition(host, config, name).catch(() => null);
    binds.push(...found?.definition.machine.binds ?? []);
  }
  return binds.map((bind) => bind.split(":")).filter(([, , mode]) => mode !== "ro")
    .map(([from = ""]) => from);
}
