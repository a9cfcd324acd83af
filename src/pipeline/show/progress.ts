/** Formats how far a pipeline is: the lines at the bottom of a terminal, and the table at the end. */

import { formatDuration } from "../../text/duration.ts";
import { printableJson } from "../../text/json.ts";
import { printable } from "../../text/printable.ts";
import { formatRows, formatTable } from "../../text/table.ts";
import type { JobResult } from "../model.ts";
import type { JobProgress, Progress } from "../run/run_jobs.ts";
import type { JobState } from "../run/states.ts";

/** The running jobs that are shown at the bottom of a terminal, at most. */
const MOST_RUNNING = 8;

/**
 * Returns a line for each running job, and one that counts all others.
 *
 * @param seconds Returns how long a job has been running.
 */
export function formatStatus(progress: Progress, seconds: (name: string) => number): string {
  const all = [...progress.values()];
  const running = all.filter(({ state }) => state === "running");
  const rows = running.slice(0, MOST_RUNNING).map(({ job }) => [
    `  ${job.stage}`,
    job.name,
    wholeSeconds(seconds(job.name)),
  ]);
  const counts = STATES.map((state) => [state, countOf(all, state)] as const)
    .filter(([, count]) => count > 0).map(([state, count]) => `${count} ${state}`);
  return printable(`${formatRows(rows)}${counts.join(", ")}\n`);
}

/** A clock that shows tenths would be wrong until it is drawn again. */
function wholeSeconds(seconds: number): string {
  return seconds < 60 ? `${seconds} s` : formatDuration(seconds * 1000);
}

const STATES: readonly JobState[] = [
  "running",
  "waiting",
  "delayed",
  "passed",
  "warned",
  "failed",
  "skipped",
  "manual",
  "blocked",
  "cancelled",
];

function countOf(all: readonly JobProgress[], state: JobState): number {
  return all.filter((one) => one.state === state).length;
}

/** Returns a line for each job that has begun or ended since. */
export function formatChanges(before: Progress, now: Progress): readonly string[] {
  return [...now.values()]
    .filter(({ job, state }) => state !== before.get(job.name)?.state && state !== "waiting")
    .map((one) => {
      const reason = explanationOf(one);
      return printable(`${one.job.name}: ${one.state}${reason === "" ? "" : `: ${reason}`}`);
    });
}

/** Returns the table at the end of a pipeline. */
export function formatResults(progress: Progress): string {
  const rows = [...progress.values()].map((one) => [
    one.job.stage,
    one.job.name,
    one.state,
    one.results.length === 0 ? "-" : formatDuration(secondsOf(one) * 1000),
    explanationOf(one),
  ]);
  return printable(formatTable(["STAGE", "JOB", "STATE", "TIME", "REASON"], rows));
}

/** Returns how the jobs ended as JSON, for `--json`. */
export function resultsAsJson(progress: Progress): string {
  const jobs = [...progress.values()].map((one) => ({
    ...{ name: one.job.name, stage: one.job.stage, state: one.state },
    seconds: rounded(secondsOf(one)),
    attempts: one.results.map(({ id, kind, code, seconds }) => ({
      ...{ id, kind, code, seconds: rounded(seconds) },
    })),
  }));
  const states = new Set(jobs.map((one) => one.state));
  const state = (["failed", "cancelled", "blocked"] as const).find((one) => states.has(one)) ??
    "passed";
  return printableJson({ state, jobs });
}

/** Rounds to milliseconds. */
function rounded(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}

/** Returns the time of all attempts. */
export function secondsOf({ results }: JobProgress): number {
  return results.reduce((sum, { seconds }) => sum + seconds, 0);
}

function explanationOf({ job, state, results }: JobProgress): string {
  const last = results.at(-1);
  const attempts = results.length > 1 ? `, attempt ${results.length}` : "";
  switch (state) {
    case "failed":
      return `${formatFailure(last)}${attempts}`;
    case "warned":
      return `${formatFailure(last)}${attempts}; it may fail`;
    case "passed":
      return results.length > 1 ? `attempt ${results.length}` : "";
    case "skipped":
      return job.when === "on_failure"
        ? "no earlier job failed"
        : "an earlier job failed or was skipped";
    case "manual":
      return "name the job to run it";
    case "blocked":
      return "waits for a manual job";
    default:
      return "";
  }
}

/** Returns why an attempt failed; undefined for a job that has none. */
export function formatFailure(last: JobResult | undefined): string {
  switch (last?.kind) {
    case "timeout":
      return "timeout";
    case "system":
      return "the host failed";
    default:
      return `exit code ${last?.code ?? 1}`;
  }
}
