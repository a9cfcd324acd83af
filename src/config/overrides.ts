/** What a job may change of its machine by NSPAWN_… variables, within the bounds that the administrator sets. */

import { refused } from "../failure.ts";
import { nearest } from "../text/nearest.ts";
import { bytesOf, DISK, disk } from "./checks.ts";
import type { Config, MachineSettings, NetworkChoice, Overrides } from "./settings.ts";

/** A limit that a job may change. */
interface LimitOverride {
  /** The name of the limit and of its bound. */
  readonly key: "memory_max" | "cpu_quota" | "tasks_max" | "disk_max";
  readonly allowed: string;
  /** Returns the size of a value, or undefined if it is not allowed. */
  readonly measure: (text: string) => number | undefined;
}

const LIMITS: Readonly<Record<string, LimitOverride>> = {
  NSPAWN_MEMORY_MAX: {
    key: "memory_max",
    allowed: "bytes with an optional K, M, G or T",
    measure: (text) => bytesOf(text)?.count,
  },
  NSPAWN_CPU_QUOTA: {
    key: "cpu_quota",
    allowed: 'a share of one CPU like "150%"',
    measure: (text) => numberIn(text, /^([1-9]\d{0,5})%$/),
  },
  NSPAWN_TASKS_MAX: {
    key: "tasks_max",
    allowed: "a whole number",
    measure: (text) => numberIn(text, /^([1-9]\d{0,6})$/),
  },
  NSPAWN_DISK_MAX: {
    key: "disk_max",
    allowed: DISK,
    measure: (text) => bytesOf(disk(text))?.count,
  },
};

const BOOT = "NSPAWN_BOOT";

const NETWORK = "NSPAWN_NETWORK";

const SERVICES_REQUIRED = "NSPAWN_SERVICES_REQUIRED";

/** From the least access to the most. */
const NETWORKS: readonly NetworkChoice[] = ["none", "private", "host"];

/**
 * Returns the settings of a job's machine: those of its chroot, changed by the job's variables.
 *
 * @throws {Failure} if a variable has a value that is not allowed, or may not be set on this host.
 */
export function applyOverrides(
  settings: MachineSettings,
  bounds: Overrides,
  variables: Readonly<Record<string, string>>,
): MachineSettings {
  const limits: Partial<Record<LimitOverride["key"], string>> = {};
  for (const [name, override] of Object.entries(LIMITS)) {
    const text = variables[name];
    if (text === undefined) continue;
    limits[override.key] = checked(name, text, override, bounds[override.key]);
  }
  return {
    ...settings,
    boot: flagOf(BOOT, variables[BOOT], bounds.boot) ?? settings.boot,
    network: networkOf(settings, bounds, variables[NETWORK]),
    limits: { ...settings.limits, ...limits },
  };
}

/**
 * Returns whether a job fails where a service of it is not ready in time.
 *
 * @throws {Failure} as {@linkcode applyOverrides}.
 */
export function areServicesRequired(
  { services_required, overrides }: Pick<Config, "services_required" | "overrides">,
  variables: Readonly<Record<string, string>>,
): boolean {
  const own = flagOf(SERVICES_REQUIRED, variables[SERVICES_REQUIRED], overrides.services_required);
  return own ?? services_required;
}

const PREFIX = "NSPAWN_";

/** The config stage sets variables of this prefix for the stages that follow. */
const OWN_PREFIX = "NSPAWN_RUNNER_";

/**
 * Returns a line for each of a job's NSPAWN_… variables that has no meaning, most likely a typing error.
 *
 * @param variables Names that begin with NSPAWN_.
 */
export function unknownOverrides(variables: Readonly<Record<string, string>>): string[] {
  const known = [...Object.keys(LIMITS), BOOT, NETWORK, SERVICES_REQUIRED];
  const withoutPrefix = (name: string) => name.replace(PREFIX, "");
  return Object.keys(variables)
    .filter((name) => !known.includes(name) && !name.startsWith(OWN_PREFIX))
    .map((name) => {
      const near = nearest(withoutPrefix(name), known.map(withoutPrefix));
      const hint = near === undefined
        ? `known are ${known.join(", ")}`
        : `did you mean ${PREFIX}${near}?`;
      return `Variable ${quoted(name)} has no effect: ${hint}`;
    });
}

function checked(
  name: string,
  text: string,
  { measure, allowed }: LimitOverride,
  bound: string | undefined,
): string {
  const value = measure(text);
  if (value === undefined) {
    throw refused(`Cannot use ${name}=${quoted(text)}: it must be ${allowed}`);
  }
  if (bound === undefined) throw notAllowed(name);
  if (value <= (measure(bound) ?? 0)) return text;
  throw refused(`Cannot use ${name}=${quoted(text)}: at most ${bound} is allowed on this host`);
}

function flagOf(
  name: string,
  text: string | undefined,
  isAllowed: boolean | undefined,
): boolean | undefined {
  if (text === undefined) return undefined;
  if (text !== "true" && text !== "false") {
    throw refused(`Cannot use ${name}=${quoted(text)}: it must be true or false`);
  }
  if (isAllowed !== true) throw notAllowed(name);
  return text === "true";
}

function networkOf(
  { network }: MachineSettings,
  bounds: Overrides,
  text: string | undefined,
): NetworkChoice {
  if (text === undefined) return network;
  const choice = NETWORKS.find((choice) => choice === text);
  if (choice === undefined) {
    throw refused(
      `Cannot use ${NETWORK}=${quoted(text)}: it must be one of ${NETWORKS.join(", ")}`,
    );
  }
  if (bounds.network === undefined) throw notAllowed(NETWORK);
  if (NETWORKS.indexOf(choice) <= NETWORKS.indexOf(bounds.network)) return choice;
  throw refused(
    `Cannot use ${NETWORK}=${
      quoted(text)
    }: the widest network that jobs may choose here is ${bounds.network}`,
    `Allowed: ${NETWORKS.slice(0, NETWORKS.indexOf(bounds.network) + 1).join(", ")}`,
  );
}

function notAllowed(name: string): Error {
  return refused(
    `Cannot use ${name}: jobs may not change that on this host`,
    "Leave it out; the administrator may allow it by [overrides] in the configuration",
  );
}

/** Quotes text of a job for a line of the log, at most 50 characters of it. */
function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 50));
}

function numberIn(text: string, shape: RegExp): number | undefined {
  const [, number] = text.match(shape) ?? [];
  return number === undefined ? undefined : Number(number);
}
