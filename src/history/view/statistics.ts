/** Summarises the jobs of a time: how they ended, how long they took and what they used, by day, image and project. */

import { dayOf } from "../folder.ts";
import { callOf, durationOf, HOST_OUTCOMES, type JobRecord, type Outcome } from "../record.ts";

/** Two values of a distribution; null where there are no values. */
export interface Spread {
  /** The median. */
  readonly half: number | null;
  /** The 95th percentile. */
  readonly most: number | null;
}

/** Some jobs. */
export interface Group {
  readonly name: string;
  readonly jobs: number;
  /** Jobs that did not succeed. */
  readonly failed: number;
  /** Jobs that failed because of the host. */
  readonly ofHost: number;
  /** Milliseconds, as the times below. */
  readonly time: Spread;
  readonly prepare: Spread;
  /** Of a stage, before its script. */
  readonly overhead: Spread;
  readonly cleanup: Spread;
  /** Milliseconds of CPU time of all. */
  readonly cpu: number;
  /** Bytes: the peaks of the jobs. */
  readonly memory: Spread;
  /** Bytes of files that all wrote; null where none is known. */
  readonly written: number | null;
}

/** A day. */
export interface Day extends Group {
  /** Jobs by outcome. */
  readonly outcomes: Readonly<Partial<Record<Outcome, number>>>;
  /** Whether its prepares took much longer than those of other days. */
  readonly isSlow: boolean;
}

/** The jobs of a time. */
export interface Statistics {
  readonly all: Group;
  readonly outcomes: Readonly<Partial<Record<Outcome, number>>>;
  /** Why machines did not start or were lost, with how often, the most frequent one first. */
  readonly reasons: readonly (readonly [string, number])[];
  /** The first one first. */
  readonly days: readonly Day[];
  /** The one with the most jobs first. */
  readonly images: readonly Group[];
  /** The one with the most CPU time first. */
  readonly projects: readonly Group[];
  /** Milliseconds of the parts of prepare. */
  readonly parts: readonly (readonly [string, Spread])[];
  /** Jobs on images of registries, and for how many of them the image was pulled. */
  readonly pulled: { readonly jobs: number; readonly pulls: number };
}

/** The largest number of reasons in a report. */
const MAX_REASONS = 10;

/** A day is slow where its prepares take so many times as long as those of half of the days. */
const SLOW = 2;

/** Returns the statistics of some jobs. */
export function summarize(records: readonly JobRecord[]): Statistics {
  const ofHost = records.filter(({ outcome }) => HOST_OUTCOMES.includes(outcome));
  const reasons = groupsBy(ofHost, ({ reason, outcome }) => withoutNames(reason ?? outcome));
  const images = records.filter(({ digest }) => digest !== null);
  return {
    all: groupOf("all", records),
    outcomes: outcomesOf(records),
    reasons: [...reasons].map(([reason, { length }]) => [reason, length] as const)
      .sort(([, one], [, other]) => other - one).slice(0, MAX_REASONS),
    days: daysOf(records),
    images: [...groupsBy(records, ({ tree, image }) => tree ?? image ?? "none")]
      .map(([name, own]) => groupOf(name, own)).sort((one, other) => other.jobs - one.jobs),
    projects: [...groupsBy(records, ({ project }) => project ?? "none")]
      .map(([name, own]) => groupOf(name, own)).sort((one, other) => other.cpu - one.cpu),
    parts: partsOf(records),
    pulled: { jobs: images.length, pulls: images.filter(({ wasPulled }) => wasPulled).length },
  };
}

function groupsBy(
  records: readonly JobRecord[],
  nameOf: (record: JobRecord) => string,
): Map<string, JobRecord[]> {
  const groups = new Map<string, JobRecord[]>();
  for (const record of records) addTo(groups, nameOf(record), record);
  return groups;
}

/** A list that was copied for each of many jobs would take minutes. */
function addTo<T>(lists: Map<string, T[]>, name: string, value: T): void {
  const list = lists.get(name);
  if (list === undefined) lists.set(name, [value]);
  else list.push(value);
}

function groupOf(name: string, records: readonly JobRecord[]): Group {
  const times = (call: string) => records.map((record) => callOf(record, call)?.took);
  return {
    name,
    jobs: records.length,
    failed: records.filter(({ outcome }) => outcome !== "success").length,
    ofHost: records.filter(({ outcome }) => HOST_OUTCOMES.includes(outcome)).length,
    time: spreadOf(records.map(durationOf)),
    prepare: spreadOf(times("prepare")),
    overhead: spreadOf(records.flatMap(({ calls }) => calls.map(({ overhead }) => overhead))),
    cleanup: spreadOf(times("cleanup")),
    cpu: sumOf(records.map(({ usage }) => (usage?.cpu ?? 0) / 1000)),
    memory: spreadOf(records.map(({ usage }) => usage?.memoryPeak)),
    written: sumOfKnown(records.map(({ usage }) => usage?.written)),
  };
}

function outcomesOf(records: readonly JobRecord[]): Partial<Record<Outcome, number>> {
  const outcomes: Partial<Record<Outcome, number>> = {};
  for (const { outcome } of records) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  return outcomes;
}

function daysOf(records: readonly JobRecord[]): Day[] {
  const days = [...groupsBy(records, ({ ended }) => dayOf(ended))].sort()
    .map(([day, own]) => ({ ...groupOf(day, own), outcomes: outcomesOf(own) }));
  const usual = spreadOf(days.map(({ prepare }) => prepare.half)).half ?? Infinity;
  return days.map((day) => ({ ...day, isSlow: (day.prepare.half ?? 0) > SLOW * usual }));
}

function partsOf(records: readonly JobRecord[]): (readonly [string, Spread])[] {
  const times = new Map<string, number[]>();
  for (const record of records) {
    for (const [part, took] of Object.entries(callOf(record, "prepare")?.parts ?? {})) {
      addTo(times, part, took);
    }
  }
  return [...times].map(([part, own]) => [part, spreadOf(own)] as const);
}

/** Returns two values of those that there are. */
export function spreadOf(values: readonly (number | null | undefined)[]): Spread {
  const sorted = values.filter((value) => value !== null && value !== undefined)
    .sort((one, other) => one - other);
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
  return { half: at(0.5), most: at(0.95) };
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

/** Returns null where no value is known. */
function sumOfKnown(values: readonly (number | null | undefined)[]): number | null {
  const known = values.filter((value) => typeof value === "number");
  return known.length === 0 ? null : sumOf(known);
}

/** Reasons that differ in a machine, a number or an address alone are one. */
function withoutNames(reason: string): string {
  return reason.replaceAll(/\b(?:run|service)-[\w.-]+/g, "…").replaceAll(/\d+(?:[.:]\d+)*/g, "…");
}
