/** Checks the options of a machine by the table of settings. */

import { SETTINGS } from "../config/schema.ts";
import type { OwnSettings } from "../config/settings.ts";
import { refused } from "../failure.ts";
import { checkVariables } from "./script.ts";
import type { MachineOptions } from "./types.ts";

/**
 * Returns the settings that options hold.
 *
 * @throws {Failure} `refused` where a value is not allowed.
 */
export function settingsOf(options: MachineOptions): OwnSettings {
  const { boot, network, user, binds, services, lifetime, limits = {}, variables = {} } = options;
  checkVariables(variables);
  if (lifetime !== undefined && !(Number.isFinite(lifetime) && lifetime > 0)) {
    throw refused("Cannot start a machine: lifetime must be a number of seconds", ABOUT_SETTINGS);
  }
  const named = Object.entries({ boot, network, user, binds, services });
  const checked = (entries: readonly (readonly [string, unknown])[], prefix = "") =>
    Object.fromEntries(
      entries.filter(([, value]) => value !== undefined)
        .map(([key, value]) => [key, checkedValue(`${prefix}${key}`, value)]),
    );
  return { ...checked(named), limits: checked(Object.entries(limits), "limits.") };
}

function checkedValue(key: string, value: unknown): unknown {
  const setting = SETTINGS.find((one) => one.key === key);
  if (setting === undefined) {
    throw refused(`Cannot start a machine: there is no option ${key}`, ABOUT_SETTINGS);
  }
  const checked = setting.check(value);
  if (checked !== undefined) return checked;
  throw refused(`Cannot start a machine: ${key} must be ${setting.allowed}`, ABOUT_SETTINGS);
}

const ABOUT_SETTINGS = "Read about settings: man nspawn-runner.toml";
