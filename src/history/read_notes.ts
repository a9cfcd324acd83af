/** Reads the notes of a job. */

import type { Host } from "../host/host.ts";
import type { MachineName } from "../machines/record/name.ts";
import { notesOf, stageLockOf } from "../machines/record/paths.ts";
import type { JobNotes, Note, RunningStage } from "./notes.ts";

/** Returns the notes of a machine's job; none where there are none. */
export async function readNotes(host: Host, machine: MachineName): Promise<JobNotes> {
  const text = await host.files.read(notesOf(machine)) ?? "";
  const notes = text.split("\n").flatMap(parseNote);
  // The last stage has noted what the job used.
  const isLast = notes.some(({ note }) => note === "usage");
  return { notes, running: isLast ? null : await readRunningStage(host, machine) };
}

async function readRunningStage(
  host: Host,
  machine: MachineName,
): Promise<RunningStage | null> {
  const text = await host.files.read(stageLockOf(machine)) ?? "";
  const [, at, stage] = text.match(/^\d+ (\d+) (\S*)\n$/) ?? [];
  return at === undefined ? null : { at: Number(at), stage: stage || null };
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
