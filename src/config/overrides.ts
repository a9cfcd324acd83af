/** What a job may change of its machine, inside the bounds that the administrator sets. */

import { refused } from "../failure.ts";
import { bytesOf, DISK, disk } from "./checks.ts";
import type { MachineSettings, NetworkChoice, Overrides } from "./settings.ts";

/** A limit that a job may raise or lower. */
interface Wish {
  /** The limit, and the bound of the same name. */
  readonly key: "memory_max" | "cpu_quota" | "tasks_max" | "disk_max";
  readonly allowed: string;
  /** How much that is; undefined where it is no such value. */
  readonly measure: (text: string) => number | undefined;
}

const LIMITS: Readonly<Record<string, Wish>> = {
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

/** From the least to the most. */
const NETWORKS: readonly NetworkChoice[] = ["none", "private", "host"];

/**
 * The settings of a job's machine.
 *
 * @param settings Those of its chroot.
 * @param bounds What jobs may change, and how far.
 * @param wishes The job's variables.
 * @returns The settings with what the job wishes.
 * @throws {Failure} where it wishes what it may not.
 */
export function withWishes(
  settings: MachineSettings,
  bounds: Overrides,
  wishes: Readonly<Record<string, string>>,
): MachineSettings {
  const limits: Partial<Record<Wish["key"], string>> = {};
  for (const [name, wish] of Object.entries(LIMITS)) {
    const text = wishes[name];
    if (text !== undefined) limits[wish.key] = checked(name, text, wish, bounds[wish.key]);
  }
  return {
    ...settings,
    boot: bootOf(settings, bounds, wishes[BOOT]),
    network: networkOf(settings, bounds, wishes[NETWORK]),
    limits: { ...settings.limits, ...limits },
  };
}

function checked(name: string, text: string, wish: Wish, bound: string | undefined): string {
  const value = wish.measure(text);
  if (value === undefined) {
    throw refused(`Cannot use ${name}=${quoted(text)}: it must be ${wish.allowed}`);
  }
  if (bound === undefined) throw notAllowed(name);
  if (value <= (wish.measure(bound) ?? 0)) return text;
  throw refused(`Cannot use ${name}=${quoted(text)}: at most ${bound} is allowed on this host`);
}

function bootOf(
  { boot }: MachineSettings,
  bounds: Overrides,
  text: string | undefined,
): boolean {
  if (text === undefined) return boot;
  if (text !== "true" && text !== "false") {
    throw refused(`Cannot use ${BOOT}=${quoted(text)}: it must be true or false`);
  }
  if (bounds.boot !== true) throw notAllowed(BOOT);
  return text === "true";
}

function networkOf(
  { network }: MachineSettings,
  bounds: Overrides,
  text: string | undefined,
): NetworkChoice {
  if (text === undefined) return network;
  const wish = NETWORKS.find((choice) => choice === text);
  if (wish === undefined) {
    throw refused(`Cannot use ${NETWORK}=${quoted(text)}: it must be ${NETWORKS.join(", ")}`);
  }
  if (bounds.network === undefined) throw notAllowed(NETWORK);
  if (NETWORKS.indexOf(wish) <= NETWORKS.indexOf(bounds.network)) return wish;
  throw refused(
    `Cannot use ${NETWORK}=${quoted(text)}: at most ${bounds.network} is allowed on this host`,
  );
}

function notAllowed(name: string): Error {
  return refused(
    `Cannot use ${name}: jobs may not change that on this host`,
    "Leave it out; the administrator may allow it by [overrides] in the configuration",
  );
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 50));
}

function numberIn(text: string, shape: RegExp): number | undefined {
  const [, number] = text.match(shape) ?? [];
  return number === undefined ? undefined : Number(number);
}
