/** Decides which jobs of a pipeline run, by the states of those before them, as GitLab does. */

import type { Need, Pipeline, PipelineJob } from "../model.ts";

/**
 * The state of a job. `warned` is a failure that is allowed; `manual` waits for a person; `blocked` waits for a manual job;
 * `skipped` will not run because of how others ended.
 */
export type JobState =
  | "waiting"
  | "delayed"
  | "running"
  | "passed"
  | "warned"
  | "failed"
  | "skipped"
  | "manual"
  | "blocked"
  | "cancelled";

/** What becomes of a job that waits. */
export type Decision = "wait" | "start" | "skipped" | "manual" | "blocked";

/** Returns the state of a job of the pipeline, by its name. */
export type StateOf = (name: string) => JobState;

/**
 * Decides about a job that waits.
 *
 * @param startsManual Whether a manual job starts as others do.
 */
export function decide(
  pipeline: Pipeline,
  job: PipelineJob,
  stateOf: StateOf,
  startsManual: boolean,
): Decision {
  const before = jobsBefore(pipeline, job);
  const states = before.map(({ name }) => stateOf(name));
  if (states.some((state) => UNFINISHED.has(state))) return "wait";
  const isBlocked = before.some((other) => blocks(other, stateOf(other.name), job.needs !== null));
  if (isBlocked) return "blocked";
  if (!runsAfter(job, states)) return "skipped";
  return job.when === "manual" && !startsManual ? "manual" : "start";
}

const UNFINISHED: ReadonlySet<JobState> = new Set(["waiting", "delayed", "running"]);

/** A manual job that may fail holds up no later stage, but a job that needs it. */
function blocks({ allowFailure }: PipelineJob, state: JobState, isNeeded: boolean): boolean {
  if (state === "manual") return isNeeded || allowFailure === false;
  return state === "blocked";
}

/** GitLab: lib/gitlab/ci/status/composite.rb and app/services/ci/pipeline_processing/atomic_processing_service.rb. */
function runsAfter({ when, needs }: PipelineJob, states: readonly JobState[]): boolean {
  if (states.includes("cancelled")) return false;
  const wasSkipped = needs !== null && states.includes("skipped");
  const hasFailed = states.includes("failed");
  if (when === "always") return true;
  if (when === "on_failure") return hasFailed && !wasSkipped;
  return !hasFailed && !wasSkipped;
}

/** Returns the jobs that have to end before a job can start. */
export function jobsBefore(pipeline: Pipeline, job: PipelineJob): readonly PipelineJob[] {
  if (job.needs !== null) {
    const names = new Set(job.needs.map((need) => need.job));
    return pipeline.jobs.filter(({ name }) => names.has(name));
  }
  const stage = pipeline.stages.indexOf(job.stage);
  return pipeline.jobs.filter((other) => pipeline.stages.indexOf(other.stage) < stage);
}

/** Returns the jobs whose artifacts and dotenv variables a job gets, in the order of the pipeline. */
export function jobsOfArtifacts(pipeline: Pipeline, job: PipelineJob): readonly PipelineJob[] {
  const before = jobsBefore(pipeline, job);
  const { dependencies, needs } = job;
  if (dependencies !== null) {
    return before.filter(({ key, name }) =>
      dependencies.includes(name) || dependencies.includes(key)
    );
  }
  if (needs === null) return before;
  const wanted = new Set(needs.filter(({ artifacts }) => artifacts).map((need) => need.job));
  return before.filter(({ name }) => wanted.has(name));
}

/** Returns what a job waits for and is not in the pipeline. */
export function missingNeeds(pipeline: Pipeline, job: PipelineJob): readonly Need[] {
  const names = new Set(pipeline.jobs.map(({ name }) => name));
  return (job.needs ?? []).filter((need) => !need.optional && !names.has(need.job));
}
