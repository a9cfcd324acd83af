/** Counts of jobs that have ended, which only grow: for monitoring. */

import { callOf, durationOf, type JobRecord } from "./record.ts";

/** How often a time was not above each bound. */
export interface Histogram {
  /** For each bound of {@linkcode BOUNDS}, how many times are not above it; then how many there are. */
  readonly buckets: number[];
  /** Seconds. */
  sum: number;
}

/** The upper bounds of each histogram, in seconds. */
export const BOUNDS = {
  job: [10, 30, 60, 300, 900, 1800, 3600, 10_800],
  prepare: [0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 30, 60, 300],
  queue: [0.01, 0.05, 0.1, 0.5, 1, 5, 30, 120],
  overhead: [0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1, 5],
  cleanup: [0.02, 0.05, 0.1, 0.2, 0.5, 1, 5, 15],
} as const;

/** The name of a histogram. */
export type Timed = keyof typeof BOUNDS;

/** Counts of some jobs. */
export interface Counts {
  /** Jobs by outcome. */
  readonly jobs: Record<string, number>;
  readonly times: Record<Timed, Histogram>;
  /** Seconds of CPU time. */
  cpu: number;
  /** Bytes written to disks. */
  written: number;
  /** Images that were pulled for a job. */
  pulls: number;
}

/** Returns the counts of no jobs. */
export function noCounts(): Counts {
  const empty = (name: Timed) => ({ buckets: Array(BOUNDS[name].length + 1).fill(0), sum: 0 });
  const names = Object.keys(BOUNDS) as Timed[];
  const times = Object.fromEntries(names.map((name) => [name, empty(name)]));
  return { jobs: {}, times: times as Counts["times"], cpu: 0, written: 0, pulls: 0 };
}

/** Adds a job to counts. */
export function countJob(counts: Counts, record: JobRecord): void {
  const { outcome, usage, wasPulled, calls } = record;
  counts.jobs[outcome] = (counts.jobs[outcome] ?? 0) + 1;
  counts.cpu += (usage?.cpu ?? 0) / 1e6;
  counts.written += usage?.ioWritten ?? 0;
  counts.pulls += wasPulled ? 1 : 0;
  const time = (name: Timed, ms: number | undefined) => {
    // A clock that was set back makes times negative, and sums must not decrease.
    if (ms !== undefined) countTime(counts.times[name], BOUNDS[name], Math.max(0, ms) / 1000);
  };
  time("job", durationOf(record));
  const prepare = callOf(record, "prepare");
  // A start that failed tells nothing about how long one takes.
  if (outcome !== "refused" && outcome !== "host") time("prepare", prepare?.took);
  time("queue", prepare?.parts?.queue);
  time("cleanup", callOf(record, "cleanup")?.took);
  for (const { overhead } of calls) time("overhead", overhead);
}

function countTime(histogram: Histogram, bounds: readonly number[], seconds: number): void {
  histogram.sum += seconds;
  for (const [index, bound] of [...bounds, Infinity].entries()) {
    if (seconds <= bound) histogram.buckets[index]!++;
  }
}
