/** Tells how a job ended, from the notes of its calls. */

import { type Ending, isSuccess } from "../ending.ts";
import { scriptCode } from "../gitlab/exit_codes.ts";
import { isLastStage } from "../gitlab/stages.ts";
import type { FailedStart, Note, StageEnd } from "./notes.ts";
import type { JobRecord } from "./record.ts";

/** What ended a machine: GitLab Runner's cleanup, or something else for a reason. */
export type EndCause =
  | { readonly kind: "cleanup" }
  | { readonly kind: "overdue"; readonly reason: string };

/** A stage that has begun. */
export interface NotedStage {
  /** Null by hand. */
  readonly stage: string | null;
  readonly at: number;
  /** Undefined where its call was killed, or still runs. */
  readonly end: StageEnd | undefined;
}

type Result = Pick<JobRecord, "outcome" | "code" | "reason" | "lines">;

/** The job, as far as its end depends on it. */
interface EndedJob {
  /** Milliseconds since 1970. */
  readonly began: number;
  /** Seconds; null for none. */
  readonly timeout: number | null;
  /** Whether a person called the stages. */
  readonly byHand: boolean;
}

/** Returns the stages that notes tell of, in their order. */
export function stagesIn(notes: readonly Note[]): NotedStage[] {
  const stages: NotedStage[] = [];
  for (const note of notes) {
    if (note.note === "stage") stages.push({ stage: note.stage, at: note.at, end: undefined });
    if (note.note === "end" && stages.length > 0) stages.push({ ...stages.pop()!, end: note });
  }
  return stages;
}

/** Returns how a job ended. */
export function resultOf(job: EndedJob, notes: readonly Note[], cause: EndCause): Result {
  const failed = notes.find((note) => note.note === "failed");
  if (failed !== undefined) return failedStart(failed);
  const stages = stagesIn(notes);
  const isComplete = stages.some(({ stage }) => isLastStage(stage ?? undefined));
  const deciding = decidingStage(stages);
  if (deciding?.end !== undefined && !isSuccess(deciding.end.ending ?? LOST)) {
    return failedStage(job, deciding.end);
  }
  if (cause.kind === "overdue" && !isComplete) {
    return { outcome: "abandoned", code: null, reason: cause.reason, lines: [] };
  }
  const isUnfinished = deciding === undefined ? !job.byHand : deciding.end === undefined;
  return { outcome: isUnfinished ? "cancelled" : "success", code: null, reason: null, lines: [] };
}

/** Returns the result of a prepare that failed. */
export function failedStart({ outcome, message }: FailedStart): Result {
  return { outcome, code: null, reason: message, lines: [] };
}

const LOST = { kind: "lost", reason: "the host failed" } as const satisfies Ending;

/**
 * Returns the stage that decides how the job ends: the first that failed, else the last one. A later attempt of a stage
 * counts instead of the earlier ones, and those that cannot fail a job do not count.
 */
function decidingStage(stages: readonly NotedStage[]): NotedStage | undefined {
  const counted = stages.filter(({ stage }, index) =>
    !CANNOT_FAIL.test(stage ?? "") &&
    (stage === null || !stages.slice(index + 1).some((later) => later.stage === stage))
  );
  return counted.find(({ end }) => end === undefined || !isSuccess(end.ending ?? LOST)) ??
    counted.at(-1);
}

/** A failure of these stages does not fail a job: attemptExecuteStage() and others in common/build.go of GitLab Runner. */
const CANNOT_FAIL = /^(?:after_script|archive_cache.*|restore_cache|cleanup_file_variables)$/;

/** Seconds by which the runner may have started the job's clock before this program did. */
const CLOCK_TOLERANCE = 10;

function failedStage(job: EndedJob, { at, ending, isCancelled, lines }: StageEnd): Result {
  const result = { code: scriptCode(ending ?? LOST), reason: null, lines };
  if (ending?.kind === "out-of-memory") return { ...result, outcome: "out-of-memory" };
  if (isCancelled) {
    const seconds = (at - job.began) / 1000;
    const isLate = job.timeout !== null && seconds >= job.timeout - CLOCK_TOLERANCE;
    return { ...result, outcome: isLate ? "timeout" : "cancelled" };
  }
  if (ending === null || ending.kind === "lost") {
    return { ...result, outcome: "lost", reason: ending?.reason ?? lines[0] ?? LOST.reason };
  }
  return { ...result, outcome: "failed" };
}
