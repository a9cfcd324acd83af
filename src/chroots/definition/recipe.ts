/** How a chroot is made, as its definition and its playbook say. */

import { settingsFor } from "../../config/load.ts";
import type { BuildRecipe, ChrootSettings, Config } from "../../config/settings.ts";
import type { Host } from "../../host/host.ts";
import { findDefinition } from "./definition.ts";
import type { ChrootName } from "../../config/chroot_name.ts";
import { findPlaybook, type Playbook } from "./playbook.ts";

/** How a chroot is made. */
export interface Recipe {
  readonly build: BuildRecipe;
  readonly settings: ChrootSettings;
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
  const playbook = await findPlaybook(host, config, name, found);
  const { build, machine } = found?.definition ?? { build: {}, machine: {} };
  return { build, settings: settingsFor(config, machine, playbook?.machine ?? {}), playbook };
}

/**
 * What tells a recipe from another one: copied files are not looked into.
 *
 * @param recipe How a chroot is made.
 * @returns A hash.
 */
export async function hashOf({ build, playbook }: Recipe): Promise<string> {
  const text = JSON.stringify([build, playbook?.text ?? null]);
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
