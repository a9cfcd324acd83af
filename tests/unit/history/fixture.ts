/** Records that tests of the history start from. */

import type { Ending } from "../../../src/ending.ts";
import type { Note, StageNote } from "../../../src/history/notes.ts";
import type { JobRecord } from "../../../src/history/record.ts";
import type { JobUsage } from "../../../src/machines/report/usage.ts";
import type { Lease } from "../../../src/machines/record/lease.ts";
import { leaseOf } from "../machines/fixture.ts";

/** When the jobs of these tests begin. */
export const BEGAN = Date.UTC(2030, 0, 1);

/** Where they run. */
export const HOST = { name: "runner-host", release: "Debian GNU/Linux 13 (trixie)" };

/** The notes of config and of a prepare that has not ended. */
export const PREPARE: Note[] = [
  { at: BEGAN, note: "config", took: 40 },
  { at: BEGAN + 100, note: "prepare" },
  { at: BEGAN + 110, note: "part", part: "image" },
  { at: BEGAN + 150, note: "part", part: "queue" },
  { at: BEGAN + 160, note: "part", part: "reserve" },
  { at: BEGAN + 190, note: "part", part: "queue" },
  { at: BEGAN + 195, note: "part", part: "start" },
];

/** Returns what a job used. */
export function usageOf(changes: Partial<JobUsage> = {}): JobUsage {
  return {
    ...{ memoryPeak: 2 ** 30, memoryMax: 2 ** 31, memoryHigh: null, memoryStalled: 0, oomKills: 0 },
    ...{ tasksPeak: 12, tasksMax: 100, tasksRefused: 0, cpu: 5_000_000, ioRead: 1, ioWritten: 2 },
    ...{ written: 4096, ...changes },
  };
}

/** Returns the record of a job that succeeded within a minute. */
export function recordOf(changes: Partial<JobRecord> = {}): JobRecord {
  return {
    version: 1,
    ...{ job: "42", machine: "run-42-ba7816bf", server: "ba7816bf8f01cfea414140de5dae2223" },
    ...{ project: "group/project", ref: "branch", isProtected: true },
    ...{ image: "registry.example/bookworm", tree: "bookworm", generation: 3, digest: null },
    ...{ wasPulled: false, services: [] },
    began: "2030-01-01T00:00:00.000Z",
    created: "2030-01-01T00:00:01.000Z",
    ended: "2030-01-01T00:01:00.000Z",
    ...{ outcome: "success", code: null, reason: null, lines: [] },
    calls: [
      { call: "config", at: 0, took: 40 },
      { call: "prepare", at: 100, took: 900, parts: { image: 100, host: 300, start: 500 } },
      { call: "build_script", at: 1500, took: 50_000, overhead: 12 },
      { call: "cleanup", at: 59_900, took: 100 },
    ],
    usage: usageOf(),
    limits: { memory_max: "2G", tasks_max: "100" },
    ...{ network: "private", storage: "overlay", booted: false, kept: null },
    host: HOST,
    program: "0.1.0",
    ...changes,
  };
}

/** Returns the lease of the machine of a job of GitLab. */
export function jobLease(store: string, changes: Partial<Lease> = {}): Lease {
  return leaseOf(store, "42", {
    server: "ba7816bf8f01cfea414140de5dae2223",
    description: {
      ...{ project: "group/project", ref: "branch", isProtected: true, image: "bookworm" },
      ...{ generation: 3, digest: null, wasPulled: false, limits: { memory_max: "2G" } },
    },
    ...changes,
  });
}

/** Returns the note of a stage that ended; times are in milliseconds after {@linkcode BEGAN}. */
export function stage(
  name: string | null,
  at: number,
  end: number,
  ending: Ending | null,
  changes: Partial<StageNote> = {},
): StageNote {
  return {
    ...{ at: BEGAN + at, note: "stage", stage: name, took: end - at, overhead: 10 },
    ...{ ending, isCancelled: false, lines: [], ...changes },
  };
}

/** A script that ended with a code. */
export function exited(code: number): Ending {
  return { kind: "exited", code };
}
