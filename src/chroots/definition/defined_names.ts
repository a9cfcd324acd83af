import { type ChrootName, isChrootName } from "../../config/chroot_name.ts";
import type { Config } from "../../config/settings.ts";
import type { Host } from "../../host/host.ts";
import { PLAYBOOK_ENDINGS } from "./playbook.ts";

/** Returns the names of all definitions and playbooks. */
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
  return names;
}
