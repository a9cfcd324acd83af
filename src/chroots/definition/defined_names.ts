import { type ChrootName, isChrootName } from "../../config/chroot_name.ts";
import type { Config } from "../../config/settings.ts";
import type { Host } from "../../host/host.ts";
import { chrootPaths } from "../generations/paths.ts";
import { HELPER_NAME } from "./helper_definition.ts";
import { PLAYBOOK_ENDINGS } from "./playbook.ts";

const HELPER = HELPER_NAME as ChrootName;

/**
 * Returns the names of all definitions and playbooks. The helper root has a definition in any case: it counts once the
 * chroot has been made, so that maintenance keeps it, and does not make it for hosts that need none.
 */
export async function definedNames(host: Host, config: Config): Promise<Set<ChrootName>> {
  const names = new Set<ChrootName>();
  for (const folder of [config.definitions, config.store]) {
    for (const file of await host.files.list(folder)) {
      const ending = [".toml", ...PLAYBOOK_ENDINGS].find((ending) => file.endsWith(ending));
      const name = ending === undefined ? "" : file.slice(0, -ending.length);
      if (!isChrootName(name)) continue;
      if ((await host.files.stat(`${folder}/${file}`))?.kind === "file") names.add(name);
    }
  }
  const { generations } = chrootPaths(config.store, HELPER);
  if ((await host.files.list(generations)).length > 0) names.add(HELPER);
  return names;
}
