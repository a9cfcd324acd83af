/** Notes of a job's calls, in a file of its machine: each call adds what it knows, and the record is made of all. */

import type { Ending } from "../ending.ts";
import type { Host } from "../host/host.ts";
import type { MachineName } from "../machines/record/name.ts";
import { notesOf } from "../machines/record/paths.ts";
import type { JobUsage } from "../machines/report/usage.ts";
import type { Part } from "./record.ts";

/** What happened; `at` is in milliseconds since 1970. */
export type Note =
  | ConfigNote
  | { readonly at: number; readonly note: "prepare" }
  | { readonly at: number; readonly note: "part"; readonly part: Part }
  | { readonly at: number; readonly note: "prepared" }
  | FailedStart
  | StageNote
  | { readonly at: number; readonly note: "usage"; readonly usage: JobUsage };

/** The config stage. */
export interface ConfigNote {
  readonly at: number;
  readonly note: "config";
  /** Milliseconds; null where it failed. */
  readonly took: number | null;
}

/** The end of a prepare that failed. */
export interface FailedStart {
  readonly at: number;
  readonly note: "failed";
  readonly outcome: "refused" | "host" | "cancelled";
  /** Its message, in one line and without secrets. */
  readonly message: string;
  /** What can be done about it, likewise. */
  readonly hint?: string;
}

/** A stage that has ended. */
export interface StageNote {
  /** When it began. */
  readonly at: number;
  readonly note: "stage";
  /** GitLab Runner's name of it; null by hand. */
  readonly stage: string | null;
  /** Milliseconds. */
  readonly took: number;
  /** Milliseconds before its script began to run in the machine; null where it did not. */
  readonly overhead: number | null;
  /** Null where the host failed before the script ended. */
  readonly ending: Ending | null;
  readonly isCancelled: boolean;
  /** Why it failed, where the host knows. */
  readonly lines: readonly string[];
}

/** Adds a note, unless the machine has no notes: it has ended, or it is of no job. */
export async function addNote(host: Host, machine: MachineName, note: Note): Promise<void> {
  try {
    await host.files.append(notesOf(machine), `${JSON.stringify(note)}\n`);
  } catch {
    // A disk that is full, or a user who is not root: the job matters more than its history.
  }
}

/** Begins the notes of a machine. */
export async function beginNotes(
  host: Host,
  machine: MachineName,
  notes: readonly Note[],
): Promise<void> {
  try {
    await host.files.write(
      notesOf(machine),
      notes.map((note) => `${JSON.stringify(note)}\n`).join(""),
    );
  } catch {
    // As above.
  }
}

/** A stage that runs, or whose call was killed. */
export interface RunningStage {
  /** When it began, in milliseconds since 1970. */
  readonly at: number;
  /** GitLab Runner's name of it; null by hand. */
  readonly stage: string | null;
}

/** What the calls of a job noted. */
export interface JobNotes {
  readonly notes: readonly Note[];
  /** The stage that runs, or whose call was killed; null where there is none. */
  readonly running: RunningStage | null;
}

/** Returns what the lock of a stage tells: to write a note of its own for the beginning would take each call longer. */
export function stagePurpose({ at, stage }: RunningStage): string {
  return `${at} ${stage ?? ""}`;
}
