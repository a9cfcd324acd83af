/** Makes the record of a job from what is known of it when it ends. */

import { isSuccess } from "../ending.ts";
import { scriptCode } from "../gitlab/exit_codes.ts";
import type { Lease } from "../machines/record/lease.ts";
import type { JobUsage } from "../machines/report/usage.ts";
import { VERSION } from "../version.ts";
import type { JobNotes, Note } from "./notes.ts";
import { type EndCause, type NotedStage, resultOf, stagesIn } from "./outcome.ts";
import type { CallRecord, HostRecord, JobRecord, Part, ServiceRecord } from "./record.ts";

/** What is known of a job that ends, apart from its lease and its notes. */
export interface EndFacts {
  readonly cause: EndCause;
  /** When the call that ends it began, in milliseconds since 1970. */
  readonly called: number;
  /** When it ended, in milliseconds since 1970. */
  readonly ended: number;
  readonly services: readonly ServiceRecord[];
  /** Null where the kernel does not tell any more. */
  readonly usage: JobUsage | null;
  readonly host: HostRecord;
}

/** Returns the record of a job whose machine ends. */
export function recordOfMachine(
  lease: Lease,
  noted: JobNotes,
  facts: EndFacts,
): JobRecord {
  const { description } = lease;
  const began = Date.parse(lease.began);
  const job = { began, timeout: lease.timeout, byHand: lease.server === null };
  return {
    version: 1,
    ...{ job: lease.job, machine: lease.machine, server: lease.server },
    project: description?.project ?? null,
    ref: description?.ref ?? null,
    isProtected: description?.isProtected ?? null,
    image: description?.image ?? null,
    tree: lease.chroot.name,
    generation: description?.generation ?? null,
    digest: description?.digest ?? null,
    wasPulled: description?.wasPulled ?? false,
    services: facts.services,
    ...{ began: lease.began, created: lease.created, ended: timeOf(facts.ended) },
    ...resultOf(job, noted, facts.cause),
    calls: [...callsIn(noted, began, facts.called), ...cleanupOf(facts, began)],
    usage: facts.usage,
    limits: description?.limits ?? {},
    ...{ network: lease.network.kind, storage: lease.storage, booted: lease.booted },
    kept: null,
    host: facts.host,
    program: VERSION,
  };
}

/**
 * Returns the record of a job whose machine has ended since.
 *
 * @param ended In milliseconds since 1970.
 * @param kept Until when its files are kept, as ISO 8601; null for not at all.
 */
export function withEnd(record: JobRecord, ended: number, kept: string | null): JobRecord {
  const end = ended - Date.parse(record.began);
  const calls = record.calls.map((call) =>
    call.call === "cleanup" ? { ...call, took: end - call.at } : call
  );
  return { ...record, ended: timeOf(ended), calls, kept };
}

/**
 * Returns the calls that notes tell of.
 *
 * @param began When the job began, in milliseconds since 1970.
 * @param now When a call that has not ended counts as ended.
 */
export function callsIn(
  { notes, running }: JobNotes,
  began: number,
  now: number,
): CallRecord[] {
  const end = notes.find(({ note }) => note === "prepared" || note === "failed")?.at ?? now;
  const starts = notes.flatMap((note): CallRecord[] => {
    const at = note.at - began;
    if (note.note === "config") return [{ call: "config", at, took: note.took ?? end - note.at }];
    if (note.note !== "prepare") return [];
    return [{ call: "prepare", at, took: end - note.at, parts: partsIn(notes, end) }];
  });
  return [...starts, ...stagesIn({ notes, running }).map((stage) => stageCall(stage, began, now))];
}

/** Returns the milliseconds of each part of prepare. */
function partsIn(notes: readonly Note[], end: number): CallRecord["parts"] & object {
  const begun = notes.filter((note) => note.note === "part");
  const parts: Partial<Record<Part, number>> = {};
  for (const [index, { at, part }] of begun.entries()) {
    parts[part] = (parts[part] ?? 0) + (begun[index + 1]?.at ?? end) - at;
  }
  return parts;
}

function stageCall(stage: NotedStage, began: number, now: number): CallRecord {
  const call = { call: stage.stage ?? "script", at: stage.at - began };
  if (!("ending" in stage)) return { ...call, took: now - stage.at };
  const { ending, took, overhead } = stage;
  return {
    ...call,
    took,
    ...(overhead === null ? {} : { overhead }),
    ...(ending !== null && isSuccess(ending)
      ? {}
      : { code: ending === null ? null : scriptCode(ending) }),
  };
}

function cleanupOf({ cause, called, ended }: EndFacts, began: number): CallRecord[] {
  return cause.kind === "cleanup"
    ? [{ call: "cleanup", at: called - began, took: ended - called }]
    : [];
}

/** Returns a time in milliseconds since 1970 as ISO 8601. */
export function timeOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
