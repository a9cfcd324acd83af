/** Checks the options of a machine by the table of settings. */

import { SETTINGS } from "../config/schema.ts";
import type { OwnSettings } from "../config/settings.ts";
import { refused } from "../failure.ts";
import { nearest } from "../text/nearest.ts";
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
  // Programs without types can give any.
  const unknown = Object.keys(options).find((key) => !OPTIONS.includes(key));
  if (unknown !== undefined) throw noOption(unknown, OPTIONS);
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
    throw noOption(key, SETTINGS.map((one) => one.key));
  }
  const checked = setting.check(value);
  if (checked !== undefined) return checked;
  throw refused(`Cannot start a machine: ${key} must be ${setting.allowed}`, ABOUT_SETTINGS);
}

function noOption(key: string, options: readonly string[]): Error {
  const near = nearest(key, options);
  return refused(
    `Cannot start a machine: there is no option ${key}`,
    near === undefined ? ABOUT_SETTINGS : `Did you mean ${near}?`,
  );
}

const OPTIONS: readonly string[] = Object.keys(
  {
    ...{ image: 0, boot: 0, network: 0, user: 0, binds: 0, limits: 0, variables: 0, services: 0 },
    ...{ lifetime: 0, config: 0, signal: 0, onMessage: 0 },
  } satisfies Record<keyof MachineOptions, 0>,
);

const ABOUT_SETTINGS = "Read about settings: man nspawn-runner.toml";
