/** Notes of a job's calls, in a file of its machine: each call adds what it knows, and the record is made of all. */

import type { Ending } from "../ending.ts";
import type { Host } from "../host/host.ts";
import type { MachineName } from "../machines/record/name.ts";
import { notesOf } from "../machines/record/paths.ts";
import type { JobUsage, Part } from "./record.ts";

/** What happened; `at` is in milliseconds since 1970. */
export type Note =
  | ConfigNote
  | { readonly at: number; readonly note: "prepare" }
  | { readonly at: number; readonly note: "part"; readonly part: Part }
  | { readonly at: number; readonly note: "prepared" }
  | FailedStart
  | { readonly at: number; readonly note: "stage"; readonly stage: string | null }
  | StageEnd
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
}

/** The end of the stage that began last. */
export interface StageEnd {
  readonly at: number;
  readonly note: "end";
  /** Null where the host failed before the script ended. */
  readonly ending: Ending | null;
  /** When the script began to run in the machine; null where it did not. */
  readonly script: number | null;
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

/** Returns the notes of a machine; null where it has none. */
export async function readNotes(host: Host, machine: MachineName): Promise<Note[] | null> {
  const text = await host.files.read(notesOf(machine));
  return text === null ? null : text.split("\n").flatMap(parseNote);
}

/** A line may be incomplete, since its call was killed. */
function parseNote(line: string): Note[] {
  try {
    const note = JSON.parse(line);
    return typeof note?.at === "number" && typeof note.note === "string" ? [note] : [];
  } catch {
    return [];
  }
}
