/** The jobs that a job waits for. */

import { refused } from "../../failure.ts";
import type { Need, PipelineJob } from "../model.ts";
import type { ExpandedJob } from "./expanded_job.ts";
import type { Field } from "./field.ts";

/** The jobs of a pipeline by their names and keys: `parallel:` makes several of one key. */
export type JobIndex = ReadonlyMap<string, readonly ExpandedJob[]>;

/** Returns the index of all jobs. */
export function indexJobs(jobs: readonly ExpandedJob[]): JobIndex {
  const index = new Map<string, ExpandedJob[]>();
  for (const job of jobs) {
    for (const word of new Set([job.name, job.key])) {
      const known = index.get(word);
      if (known === undefined) index.set(word, [job]);
      else known.push(job);
    }
  }
  return index;
}

/** Returns the jobs that a job waits for, without those that trigger others; null where these are all of earlier stages. */
export function needsOf({ data }: ExpandedJob, jobs: JobIndex): Need[] | null {
  const needs = data.get("needs");
  if (needs.isUnset) return null;
  return needs.items().filter(isInPipeline).flatMap((need) => needOf(need, jobs));
}

/** Returns whether a job starts another pipeline, and runs no script. */
export function isTrigger({ data }: ExpandedJob): boolean {
  return data.has("trigger");
}

/** Returns whether a need is a job of this pipeline. */
export function isInPipeline(need: Field): boolean {
  return !need.isMapping || (need.get("pipeline").isUnset && need.get("project").isUnset);
}

/** Returns all jobs that `parallel:` made of the needed one, or those with the values of its matrix. */
function needOf(field: Field, jobs: JobIndex): Need[] {
  const name = (field.isMapping ? field.get("job") : field).text();
  const matrix = field.isMapping ? field.get("parallel").get("matrix") : undefined;
  const named = jobs.get(name) ?? [];
  const own = named.filter((job) => !isTrigger(job));
  const isTriggered = named.length > 0 && own.length === 0;
  const found = own.filter((job) =>
    matrix === undefined || matrix.isUnset || isInMatrix(job, matrix)
  );
  const need = {
    artifacts: !field.isMapping || field.get("artifacts").flag(true),
    optional: field.isMapping && field.get("optional").flag(false),
  };
  // A job that is not there stays: whether it may be missing is known when the jobs are chosen.
  const names = found.length === 0 && !isTriggered ? [name] : found.map((job) => job.name);
  return names.map((job) => ({ job, ...need }));
}

/** Returns whether an entry of a matrix has the values of a job. */
function isInMatrix({ matrix }: ExpandedJob, selector: Field): boolean {
  const values = matrix.variables();
  return selector.items().some((entry) =>
    entry.entries().every(([key, wanted]) => wanted.texts().includes(values[key] ?? ""))
  );
}

/**
 * Refuses jobs that wait for one another.
 *
 * @throws {Failure} `refused`, with the names of these jobs.
 */
export function refuseCircles(jobs: readonly PipelineJob[]): void {
  const names = new Set(jobs.map(({ name }) => name));
  const waiting = new Map(jobs.map(({ name, needs }) => {
    return [name, new Set((needs ?? []).map(({ job }) => job).filter((job) => names.has(job)))];
  }));
  const waiters = new Map<string, string[]>();
  for (const [name, needs] of waiting) {
    for (const need of needs) {
      const known = waiters.get(need);
      if (known === undefined) waiters.set(need, [name]);
      else known.push(name);
    }
  }
  const ready = [...waiting].filter(([, needs]) => needs.size === 0).map(([name]) => name);
  for (const name of ready) {
    waiting.delete(name);
    for (const waiter of waiters.get(name) ?? []) {
      const needs = waiting.get(waiter)!;
      needs.delete(name);
      if (needs.size === 0) ready.push(waiter);
    }
  }
  if (waiting.size > 0) throw circular(waiting);
}

/** @param waiting Jobs, each of which waits for others of them. */
function circular(waiting: ReadonlyMap<string, ReadonlySet<string>>): Error {
  const path = new Set<string>();
  let [name] = waiting.keys();
  while (!path.has(name!)) {
    path.add(name!);
    [name] = waiting.get(name!)!;
  }
  const all = [...path];
  const circle = [...all.slice(all.indexOf(name!)), name].map((one) => JSON.stringify(one));
  return refused(`Cannot read the pipeline: jobs wait for one another: ${circle.join(" needs ")}`);
}
