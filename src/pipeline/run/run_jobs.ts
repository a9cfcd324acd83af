/** Runs the jobs of a pipeline: each when those before it have ended, some at once, failed ones again. */

import type { JobResult, Pipeline, PipelineJob } from "../model.ts";
import { isAllowed, wantsRetry } from "./failed_job.ts";
import { decide, type JobState } from "./states.ts";

/** How far a job is. */
export interface JobProgress {
  readonly job: PipelineJob;
  readonly state: JobState;
  /** One for each attempt that ended. */
  readonly results: readonly JobResult[];
}

/** The jobs of a pipeline by their names. */
export type Progress = ReadonlyMap<string, JobProgress>;

export interface RunOptions {
  /** How many jobs run at once, at most. */
  readonly limit: number;
  /** Whether manual jobs start as others do, and delayed ones at once. */
  readonly startsManual: boolean;
  /** When aborted, no further job starts. */
  readonly stop: AbortSignal;
  /** Runs one attempt of a job; does not throw. */
  readonly runJob: (job: PipelineJob, progress: Progress) => Promise<JobResult>;
  /** Waits that many seconds, or until `stop` is aborted. */
  readonly delay: (seconds: number) => Promise<void>;
  /** Called when the state of a job has changed. */
  readonly onChange: (progress: Progress, job: PipelineJob) => void;
}

/** Runs all jobs, and returns how each of them ended. */
export async function runJobs(pipeline: Pipeline, options: RunOptions): Promise<Progress> {
  const run = new PipelineRun(pipeline, options);
  await run.toItsEnd();
  return run.progress;
}

class PipelineRun {
  readonly progress = new Map<string, JobProgress>();
  readonly #running = new Map<string, Promise<void>>();
  /** Those of the delayed jobs that wait for their time, and that have waited. */
  readonly #delays = new Map<string, Promise<void>>();
  readonly #due = new Set<string>();

  constructor(readonly pipeline: Pipeline, readonly options: RunOptions) {
    for (const job of pipeline.jobs) {
      this.progress.set(job.name, { job, state: "waiting", results: [] });
    }
  }

  async toItsEnd(): Promise<void> {
    for (;;) {
      while (this.#advance());
      const pending = [...this.#running.values(), ...this.#delays.values()];
      if (pending.length === 0) return;
      await Promise.race(pending);
    }
  }

  /** Starts or passes over the first job that is ready; returns false where there is none. */
  #advance(): boolean {
    for (const { job, state } of this.progress.values()) {
      if (state !== "waiting" && state !== "delayed") continue;
      if (this.options.stop.aborted) {
        this.#set(job, "cancelled");
        return true;
      }
      const decision = decide(this.pipeline, job, this.#stateOf, this.options.startsManual);
      if (decision === "wait") continue;
      if (decision !== "start") this.#set(job, decision);
      else if (this.#isEarly(job)) this.#wait(job);
      else if (state === "delayed" && !this.#due.has(job.name) || !this.#hasRoomFor(job)) continue;
      else this.#start(job);
      return true;
    }
    return false;
  }

  #isEarly({ name, when }: PipelineJob): boolean {
    return when === "delayed" && !this.options.startsManual && this.#stateOf(name) === "waiting";
  }

  #wait(job: PipelineJob): void {
    this.#set(job, "delayed");
    const waited = this.options.delay(job.startIn).then(() => {
      this.#delays.delete(job.name);
      this.#due.add(job.name);
    });
    this.#delays.set(job.name, waited);
  }

  readonly #stateOf = (name: string) => this.progress.get(name)!.state;

  #hasRoomFor({ resourceGroup }: PipelineJob): boolean {
    if (this.#running.size >= this.options.limit) return false;
    return resourceGroup === null ||
      ![...this.#running.keys()].some((name) =>
        this.progress.get(name)!.job.resourceGroup === resourceGroup
      );
  }

  #start(job: PipelineJob): void {
    this.#set(job, "running");
    const ended = this.#attempts(job).then((state) => {
      this.#running.delete(job.name);
      this.#set(job, state);
    });
    this.#running.set(job.name, ended);
  }

  async #attempts(job: PipelineJob): Promise<JobState> {
    const { stop, runJob } = this.options;
    for (let attempt = 0;; attempt++) {
      if (stop.aborted) return "cancelled";
      const result = await runJob(job, this.progress);
      const { results } = this.progress.get(job.name)!;
      this.progress.set(job.name, { job, state: "running", results: [...results, result] });
      if (result.kind === "success") return "passed";
      if (result.kind === "cancelled") return "cancelled";
      if (!stop.aborted && wantsRetry(job, result, attempt)) continue;
      return isAllowed(job, result) ? "warned" : "failed";
    }
  }

  #set(job: PipelineJob, state: JobState): void {
    this.progress.set(job.name, { ...this.progress.get(job.name)!, state });
    this.options.onChange(this.progress, job);
  }
}
