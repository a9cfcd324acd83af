/** Tells how a job ended, from the notes of its calls. */

import { type Ending, isSuccess } from "../ending.ts";
import { scriptCode } from "../gitlab/exit_codes.ts";
import { isLastStage } from "../gitlab/stages.ts";
import type { FailedStart, JobNotes, RunningStage, StageNote } from "./notes.ts";
import type { JobRecord } from "./record.ts";

/** What ended a machine: GitLab Runner's cleanup, or something else for a reason. */
export type EndCause =
  | { readonly kind: "cleanup" }
  | { readonly kind: "overdue"; readonly reason: string };

/** A stage that has begun; one without a note of its end was killed, or still runs. */
export type NotedStage = StageNote | RunningStage;

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

/** Returns the stages of a job, in their order. After a failure of the host, the one that seems to run has a note, too. */
export function stagesIn({ notes, running }: JobNotes): NotedStage[] {
  const ended = notes.filter((note) => note.note === "stage");
  const isNoted = running === null || ended.some(({ at }) => at === running.at);
  return isNoted ? ended : [...ended, running];
}

/** Returns how a job ended. */
export function resultOf(
  job: EndedJob,
  noted: JobNotes,
  cause: EndCause,
): Result {
  const failed = noted.notes.find((note) => note.note === "failed");
  if (failed !== undefined) return failedStart(failed);
  const stages = stagesIn(noted);
  const isComplete = stages.some(({ stage }) => isLastStage(stage ?? undefined));
  const deciding = decidingStage(stages);
  if (deciding !== undefined && hasEnded(deciding) && !hasSucceeded(deciding)) {
    return failedStage(job, deciding);
  }
  if (cause.kind === "overdue" && !isComplete) {
    return { outcome: "abandoned", code: null, reason: cause.reason, lines: [] };
  }
  const isUnfinished = deciding === undefined ? !job.byHand : !hasEnded(deciding);
  return { outcome: isUnfinished ? "cancelled" : "success", code: null, reason: null, lines: [] };
}

/** Returns the result of a prepare that failed. */
export function failedStart({ outcome, message, hint }: FailedStart): Result {
  return { outcome, code: null, reason: message, lines: hint === undefined ? [] : [hint] };
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
  return counted.find((stage) => !hasSucceeded(stage)) ?? counted.at(-1);
}

function hasEnded(stage: NotedStage): stage is StageNote {
  return "ending" in stage;
}

function hasSucceeded(stage: NotedStage): boolean {
  return hasEnded(stage) && isSuccess(stage.ending ?? LOST);
}

/** A failure of these stages does not fail a job: attemptExecuteStage() and others in common/build.go of GitLab Runner. */
const CANNOT_FAIL = /^(?:after_script|archive_cache.*|restore_cache|cleanup_file_variables)$/;

/** Seconds by which the runner may have started the job's clock before this program did. */
const CLOCK_TOLERANCE = 10;

function failedStage(job: EndedJob, { at, took, ending, isCancelled, lines }: StageNote): Result {
  const result = { code: scriptCode(ending ?? LOST), reason: null, lines };
  if (ending?.kind === "out-of-memory") return { ...result, outcome: "out-of-memory" };
  if (isCancelled) {
    const seconds = (at + took - job.began) / 1000;
    const isLate = job.timeout !== null && seconds >= job.timeout - CLOCK_TOLERANCE;
    return { ...result, outcome: isLate ? "timeout" : "cancelled" };
  }
  if (ending === null || ending.kind === "lost") {
    return { ...result, outcome: "lost", reason: ending?.reason ?? lines[0] ?? LOST.reason };
  }
  return { ...result, outcome: "failed" };
}
