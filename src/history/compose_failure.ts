/** Makes the record of a job whose machine could not be started. */

import { VERSION } from "../version.ts";
import { callsIn, timeOf } from "./compose.ts";
import type { Note } from "./notes.ts";
import { failedStart } from "./outcome.ts";
import type { HostRecord, JobRecord } from "./record.ts";

/** The job of a start that failed. */
export type FailedJob =
  & Pick<JobRecord, "job" | "machine" | "server" | "project" | "ref" | "isProtected" | "image">
  & { readonly host: HostRecord };

/** Returns the record of a job whose machine was not started. */
export function recordOfFailure({ host, ...job }: FailedJob, notes: readonly Note[]): JobRecord {
  const began = notes[0]!.at;
  const call = notes.findLast(({ note }) => note === "config" || note === "prepare")!;
  const failed = notes.find((note) => note.note === "failed")!;
  return {
    version: 1,
    ...job,
    ...{ tree: null, generation: null, digest: null, wasPulled: false, services: [] },
    ...{ began: timeOf(began), created: timeOf(call.at), ended: timeOf(failed.at) },
    ...failedStart(failed),
    calls: callsIn({ notes, running: null }, began, failed.at),
    ...{ usage: null, limits: {}, network: null, storage: null, booted: null, kept: null },
    host,
    program: VERSION,
  };
}
