/** How a chroot is made, as its definition and its playbook say. */

import { settingsFor } from "../config/load.ts";
import type { Config, MachineSettings, Making } from "../config/settings.ts";
import type { Host } from "../host/host.ts";
import { findDefinition } from "./definition.ts";
import type { ChrootName } from "./name.ts";
import { findPlaybook, type Playbook } from "./playbook.ts";

/** How a chroot is made. */
export interface Recipe {
  readonly making: Making;
  readonly settings: MachineSettings;
  readonly playbook: Playbook | null;
}

/**
 * How a chroot is made.
 *
 * @param host The outside.
 * @param config Where definitions are.
 * @param name The chroot.
 * @returns What its definition and its playbook say.
 * @throws {Failure} where the definition holds what it may not.
 */
export async function readRecipe(host: Host, config: Config, name: ChrootName): Promise<Recipe> {
  const found = await findDefinition(host, config, name);
  const playbook = await findPlaybook(host, config, name, found?.folder);
  const { making, machine } = found?.definition ?? { making: {}, machine: {} };
  return { making, settings: settingsFor(config, machine, playbook?.machine ?? {}), playbook };
}
