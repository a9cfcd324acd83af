/** Plays a pipeline: runs its jobs, and shows what they print and how they end. */

import type { Ending } from "../../ending.ts";
import type { Host } from "../../host/host.ts";
import { timerTime } from "../../app/timer.ts";
import type { JobResult, Pipeline, PipelineJob } from "../model.ts";
import { type JobProgress, type Progress, runJobs } from "../run/run_jobs.ts";
import { formatFailure } from "../show/progress.ts";
import { showPipeline } from "../show/show_pipeline.ts";
import type { PipelineOptions } from "./options.ts";

/** Runs one attempt of a job. */
export type JobRunner = (
  job: PipelineJob,
  progress: Progress,
  onOutput: (piece: Uint8Array | string) => void,
  interrupt: AbortSignal,
) => Promise<JobResult>;

/** What ends a pipeline before its time. */
export interface Interrupts {
  /** Cancels all jobs but those that are not interruptible. */
  readonly first: AbortSignal;
  /** Cancels these, too. */
  readonly second: AbortSignal;
}

/** Runs all jobs, and returns how each ended. */
export async function playPipeline(
  host: Host,
  pipeline: Pipeline,
  options: PipelineOptions,
  interrupts: Interrupts,
  runJob: JobRunner,
): Promise<PlayedPipeline> {
  const show = await showPipeline(host, pipeline, options);
  let firstFailed: JobProgress | null = null;
  const progress = await runJobs(pipeline, {
    limit: options.limit,
    startsManual: options.jobs.length > 0,
    stop: interrupts.first,
    delay: (seconds) => delay(host, seconds, interrupts.first),
    async runJob(job, progress) {
      const lines = show.job(job);
      const earlier = progress.get(job.name)!.results.length;
      if (earlier > 0) lines.write(`Attempt ${earlier + 1} of ${job.retry.max + 1}\n`);
      const interrupt = job.interruptible ? interrupts.first : interrupts.second;
      const result = await runJob(job, progress, lines.write, interrupt);
      lines.end(); // the last line of a job may have no end
      lines.write(endOf(result));
      return result;
    },
    onChange(progress, job) {
      const one = progress.get(job.name)!;
      if (one.state === "failed") firstFailed ??= one;
      show.progress(progress);
    },
  });
  show.end();
  return { progress, ending: endingOf(firstFailed, interrupts.first) };
}

/** Returns the last line of an attempt, as in GitLab's logs; that of a success is not needed. */
function endOf(result: JobResult): string {
  if (result.kind === "success") return "";
  return result.kind === "cancelled" ? "Job cancelled\n" : `Job failed: ${formatFailure(result)}\n`;
}

export interface PlayedPipeline {
  readonly progress: Progress;
  readonly ending: Ending;
}

/** Waits, but not longer than until a signal is aborted. */
function delay(host: Host, seconds: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const forget = host.clock.after(timerTime(seconds), resolve);
    stop.addEventListener("abort", () => {
      forget();
      resolve();
    }, { once: true });
  });
}

function endingOf(failed: JobProgress | null, stop: AbortSignal): Ending {
  if (stop.aborted) return INTERRUPTED;
  const result = failed?.results.at(-1);
  if (result === undefined) return { kind: "exited", code: 0 };
  if (result.kind === "system") return { kind: "lost", reason: `job ${failed!.job.name} failed` };
  return { kind: "exited", code: result.code };
}

/** The ending of a pipeline that was interrupted: that of Ctrl-C. */
export const INTERRUPTED: Ending = { kind: "signalled", signal: 2 };
