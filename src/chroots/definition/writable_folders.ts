/** The folders of the host that jobs of any chroot write to. */

import type { Config } from "../../config/settings.ts";
import type { Host } from "../../host/host.ts";
import { definedNames } from "./defined_names.ts";
import { bindsOf } from "./find_definition.ts";

/**
 * Returns the sources of all binds that are not read-only, of the configuration and of all definitions, as they are
 * written. A definition that cannot be used is left out: no machine starts by it.
 */
export async function writableFolders(host: Host, config: Config): Promise<string[]> {
  const names = [...await definedNames(host, config)];
  const defined = await Promise.all(names.map((name) => bindsOf(host, config, name)));
  const binds = [config.binds ?? [], ...defined].flat().map((bind) => bind.split(":"));
  return binds.filter(([, , mode]) => mode !== "ro").map(([from = ""]) => from);
}
