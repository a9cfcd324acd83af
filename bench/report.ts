/** The report of a benchmark, as a table or as JSON. */

import { quantile, type Samples } from "./measure.ts";

/** The conditions of the measurement. */
export interface Conditions {
  readonly program: string;
  readonly host: string;
  readonly machine: string;
  readonly rounds: number;
  /** The unit of the table; samples are always in milliseconds. */
  readonly unit: "ms" | "s";
}

/** Names of the floors' samples. */
export const FLOOR = {
  empty: "empty program",
  boot: "raw boot",
  exec: "raw systemd-run in it",
  nsenter: "raw nsenter into it",
  kill: "raw kill until gone",
  terminate: "raw terminate until gone",
} as const;

/** Calls of a driver, in order. */
export const CALLS = ["config", "prepare", "run", "cleanup"] as const;

/** Label of the calls for a machine with its own disk. */
export const LIMITED = "own disk";

/** Milliseconds that creating such a disk may take. */
const DISK = 60;

/** Names of the samples of chroot-create. */
export const CREATE = {
  ours: "ours chroot-create",
  fill: "ours mmdebstrap in it",
  others: "ours all else in it",
  du: "ours du in it",
  sync: "ours sync in it",
  floor: "raw mmdebstrap",
} as const;

/** A ratio and its limit. */
export interface Target {
  readonly name: string;
  readonly ours: number;
  readonly floor: number;
  readonly ratio: number;
  readonly limit: number;
  readonly met: boolean;
}

/**
 * Returns the ratios of the program's medians to sums of the floors' medians.
 *
 * @param booted Whether systemd is PID 1 in the machine.
 */
export function targets(samples: Samples, booted: boolean): Target[] {
  const prepare = target(samples, "prepare", [FLOOR.boot, FLOOR.empty], booted ? 1.15 : 1.2);
  return [
    target(samples, "start", [FLOOR.empty], 1.2),
    prepare,
    ...limitedTarget(samples, prepare),
    target(samples, "run", [booted ? FLOOR.exec : FLOOR.nsenter, FLOOR.empty], booted ? 1.3 : 1.4),
    target(samples, "cleanup", [FLOOR.kill, FLOOR.empty], booted ? 1.3 : 1.25),
  ];
}

/** Returns the ratio of chroot-create to mmdebstrap by hand. */
export function createTargets(samples: Samples): Target[] {
  return [target(samples, "chroot-create", [CREATE.floor], 1.1)];
}

function limitedTarget(samples: Samples, { floor, limit }: Target): Target[] {
  const times = samples.of(`${LIMITED} prepare`);
  if (times.length === 0) return [];
  return [judged(`${LIMITED} prepare`, quantile(times, 0.5), floor, limit + DISK / floor)];
}

function target(samples: Samples, name: string, floors: readonly string[], limit: number): Target {
  const median = (name: string) => quantile(samples.of(name), 0.5);
  const ours = median(`ours ${name}`);
  const floor = floors.map(median).reduce((sum, ms) => sum + ms, 0);
  return judged(name, ours, floor, limit);
}

function judged(name: string, ours: number, floor: number, limit: number): Target {
  const ratio = ours / floor;
  return { name, ours, floor, ratio, limit, met: ratio <= limit };
}

/** Returns the report as a table. */
export function tableOf(
  samples: Samples,
  where: Conditions,
  found: readonly Target[],
  notes: readonly string[],
): string {
  const time = inUnit(where.unit);
  return [
    `${where.program} on ${where.host}`,
    `${where.machine}; ${where.rounds} rounds, in ${where.unit}`,
    "",
    row("", "median", "p10", "p90", "n"),
    ...samples.names().sort(inOrder).map((name) => sampleRow(name, samples.of(name), time)),
    "",
    row("target", "ours", "floor", "ratio", "at most"),
    ...found.map((target) => targetRow(target, time)),
    ...peerRows(samples, time),
    ...notes.map((note) => `\n${note}`),
    "",
  ].join("\n");
}

/** Sorts the program's calls first, then the peer's, then the floors. */
function inOrder(a: string, b: string): number {
  return rank(a) - rank(b);
}

function rank(name: string): number {
  const order = [
    "ours start",
    ...CALLS.map((call) => `ours ${call}`),
    ...CALLS.map((call) => `${LIMITED} ${call}`),
    ...CALLS.map((call) => `peer ${call}`),
    ...Object.values(FLOOR),
    ...Object.values(CREATE),
  ];
  return order.indexOf(name);
}

function sampleRow(name: string, times: readonly number[], time: Format): string {
  const [median, low, high] = [0.5, 0.1, 0.9].map((share) => time(quantile(times, share)));
  return row(name, median!, low!, high!, String(times.length));
}

function targetRow({ name, ours, floor, ratio, limit, met }: Target, time: Format): string {
  const end = met ? "" : "  missed";
  return row(name, time(ours), time(floor), ratio.toFixed(2), limit.toFixed(2)) + end;
}

function peerRows(samples: Samples, time: Format): string[] {
  if (samples.of("peer prepare").length === 0) return [];
  const rows = CALLS.map((call) => {
    const [ours, peer] = ["ours", "peer"].map((who) => quantile(samples.of(`${who} ${call}`), 0.5));
    return row(call, time(ours!), time(peer!), (ours! / peer!).toFixed(2));
  });
  return ["", row("beside the peer", "ours", "peer", "ratio"), ...rows];
}

function row(name: string, ...cells: readonly string[]): string {
  return name.padEnd(26) + cells.map((cell) => cell.padStart(9)).join("");
}

/** Formats milliseconds. */
type Format = (ms: number) => string;

function inUnit(unit: Conditions["unit"]): Format {
  return unit === "ms" ? (ms) => ms.toFixed(1) : (ms) => (ms / 1000).toFixed(2);
}

/** Returns the report as JSON, with every measured time. */
export function jsonOf(
  samples: Samples,
  where: Conditions,
  found: readonly Target[],
  notes: readonly string[],
): string {
  const all = samples.names().sort(inOrder).map((name) => {
    const times = samples.of(name);
    return [name, { median: quantile(times, 0.5), times }];
  });
  return JSON.stringify(
    { ...where, samples: Object.fromEntries(all), targets: found, notes },
    null,
    2,
  );
}
