/** The record of a job in the history. It holds no secret. */

import type { RefKind } from "../gitlab/job.ts";
import type { MachineDescription } from "../machines/record/description.ts";
import type { Network } from "../machines/record/network.ts";
import type { JobUsage } from "../machines/report/usage.ts";

/**
 * How a job ended.
 *
 * - `refused`: prepare or config refused what it asks for
 * - `host`: its machine could not be prepared; GitLab Runner tries again
 * - `lost`: its machine ended, or did not answer, while a stage ran
 * - `abandoned`: no cleanup ended it; housekeeping or gc found it
 */
export type Outcome =
  | "success"
  | "failed"
  | "out-of-memory"
  | "timeout"
  | "cancelled"
  | "refused"
  | "host"
  | "lost"
  | "abandoned";

/** The outcomes for which the host is responsible, and not the job. */
export const HOST_OUTCOMES: readonly Outcome[] = ["host", "lost", "abandoned"];

/** A part of prepare; a part ends when the next one begins. `queue` is the wait for other processes' locks. */
export type Part =
  | "image"
  | "host"
  | "queue"
  | "reserve"
  | "build"
  | "start"
  | "services"
  | "runner";

/** One call of GitLab Runner, or of a person. */
export interface CallRecord {
  /** `config`, `prepare`, `cleanup`, or the name of a stage; `script` by hand. */
  readonly call: string;
  /** Milliseconds from the job's beginning. */
  readonly at: number;
  /** Milliseconds; for cleanup, until the record was written. */
  readonly took: number;
  /** Milliseconds of the parts of prepare, in their order. */
  readonly parts?: Readonly<Partial<Record<Part, number>>>;
  /** Milliseconds of a stage before its script began. */
  readonly overhead?: number;
  /** Exit code of a stage's script; null where it did not end by itself. */
  readonly code?: number | null;
}

/** A service of a job. */
export interface ServiceRecord {
  readonly image: string;
  readonly aliases: readonly string[];
  /** Its exit code; null where it ran until the end of the job. */
  readonly code: number | null;
  /** Why its program could not start; null where it could. */
  readonly failure: string | null;
}

/** The host on which a job ran. */
export interface HostRecord {
  readonly name: string;
  /** The name of its release, as os-release(5) has it. */
  readonly release: string | null;
}

/** One job, or one attempt of a job whose prepare GitLab Runner repeated. */
export interface JobRecord {
  readonly version: 1;
  readonly job: string;
  readonly machine: string;
  /** A hash of the GitLab server's identity; null by hand. */
  readonly server: string | null;
  readonly project: string | null;
  readonly ref: RefKind | null;
  readonly isProtected: boolean | null;
  /** As the job names it; null where it names none. */
  readonly image: string | null;
  /** The chroot, or the pulled image by its name; null where there was no machine. */
  readonly tree: string | null;
  readonly generation: number | null;
  readonly digest: string | null;
  readonly wasPulled: boolean;
  readonly services: readonly ServiceRecord[];
  /** When it began, as ISO 8601. */
  readonly began: string;
  /** When its machine was reserved, or its failed prepare began, as ISO 8601; with `machine`, the record's identity. */
  readonly created: string;
  /** As ISO 8601. */
  readonly ended: string;
  readonly outcome: Outcome;
  /** The exit code of the script that failed. */
  readonly code: number | null;
  /** Why it did not end by itself, or did not start, in one line. */
  readonly reason: string | null;
  /** The explanations that its log has. */
  readonly lines: readonly string[];
  readonly calls: readonly CallRecord[];
  readonly usage: JobUsage | null;
  readonly limits: MachineDescription["limits"];
  readonly network: Network["kind"] | null;
  readonly storage: string | null;
  readonly booted: boolean | null;
  /** Until when its files are kept, as ISO 8601; null for not at all. */
  readonly kept: string | null;
  readonly host: HostRecord;
  /** The version of this program. */
  readonly program: string;
}

/** Returns what no two records share, but for those of one job that was recorded twice. */
export function keyOf({ machine, created }: JobRecord): string {
  return `${machine} ${created}`;
}

/** Returns the time of a job in milliseconds. */
export function durationOf({ began, ended }: JobRecord): number {
  return Math.max(0, Date.parse(ended) - Date.parse(began));
}

/** Returns the call of a name; undefined where there was none. */
export function callOf({ calls }: JobRecord, name: string): CallRecord | undefined {
  return calls.find(({ call }) => call === name);
}
