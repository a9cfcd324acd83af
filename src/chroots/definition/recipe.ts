/** The recipe of a chroot: its definition and its playbook together. */

import type { ChrootName } from "../../config/chroot_name.ts";
import { settingsFor } from "../../config/load.ts";
import type { BuildSettings, ChrootSettings, Config } from "../../config/settings.ts";
import type { Host } from "../../host/host.ts";
import { sha256 } from "../../text/hash.ts";
import { findDefinition } from "./find_definition.ts";
import { findPlaybook, type Playbook } from "./playbook.ts";

/** How a chroot is built, and the settings of its machines. */
export interface Recipe {
  readonly build: BuildSettings;
  readonly settings: ChrootSettings;
  readonly playbook: Playbook | null;
}

/**
 * Reads the recipe of a chroot. One without a definition has an empty recipe.
 *
 * @throws {Failure} where the definition or the playbook cannot be used.
 */
export async function readRecipe(host: Host, config: Config, name: ChrootName): Promise<Recipe> {
  const found = await findDefinition(host, config, name);
  const playbook = await findPlaybook(host, config, name, found);
  const { build, machine } = found?.definition ?? { build: {}, machine: {} };
  return { build, settings: settingsFor(config, machine, playbook?.machine ?? {}), playbook };
}

/**
 * Returns a hash that changes with the definition or the playbook, but not with the files that are
 * copied.
 */
export async function hashOf({ build, playbook }: Recipe): Promise<string> {
  return await sha256(JSON.stringify([build, playbook?.text ?? null]));
}
