/** Chooses the jobs of a pipeline that run. */

import { refused } from "../../failure.ts";
import { nearest } from "../../text/nearest.ts";
import type { Pipeline, PipelineJob } from "../model.ts";
import { jobsOfArtifacts, missingNeeds } from "./states.ts";

/**
 * Returns a pipeline with the chosen jobs, and those that they need.
 *
 * @param words Names or keys of jobs; all jobs of the pipeline run where there are none.
 * @throws {Failure} where there is no such job, or rules exclude it.
 */
export function chooseJobs(pipeline: Pipeline, words: readonly string[]): Pipeline {
  const present = { ...pipeline, jobs: pipeline.jobs.filter(({ when }) => when !== "never") };
  if (words.length === 0 && present.jobs.length === 0) throw noJobs();
  const chosen = new Set(words.flatMap((word) => jobsNamed(pipeline, word)));
  // The set grows while it is walked.
  for (const job of chosen) for (const other of neededBy(present, job)) chosen.add(other);
  const jobs = words.length === 0 ? present.jobs : present.jobs.filter((job) => chosen.has(job));
  const pipelineOfJobs = { ...pipeline, jobs };
  for (const job of jobs) refuseMissing(pipelineOfJobs, job);
  return pipelineOfJobs;
}

/** GitLab makes no such pipeline either. */
function noJobs(): Error {
  return refused(
    "Cannot run the pipeline: the rules of its jobs exclude all of them",
    "Set the variables that these rules compare: --variable NAME=VALUE",
  );
}

/** Returns whether a word of the command line names a job, or the key that made it. */
export function isNamed({ name, key }: PipelineJob, word: string): boolean {
  return word === name || word === key;
}

function jobsNamed({ jobs }: Pipeline, word: string): readonly PipelineJob[] {
  const named = jobs.filter((job) => isNamed(job, word));
  if (named.length === 0) {
    const near = nearest(word, jobs.map(({ name }) => name));
    throw refused(
      `Cannot run job ${JSON.stringify(word)}: the pipeline has no such job`,
      near === undefined
        ? "List the jobs: nspawn-runner pipeline --list"
        : `Did you mean ${JSON.stringify(near)}?`,
    );
  }
  const present = named.filter(({ when }) => when !== "never");
  if (present.length === 0) {
    throw refused(
      `Cannot run job ${JSON.stringify(word)}: its rules exclude it`,
      "Set the variables that its rules compare: --variable NAME=VALUE",
    );
  }
  return present;
}

/** A job without `needs:` and `dependencies:` runs alone: all earlier stages would be much. */
function neededBy(pipeline: Pipeline, job: PipelineJob): readonly PipelineJob[] {
  const needed = new Set((job.needs ?? []).map((need) => need.job));
  const named = pipeline.jobs.filter(({ name }) => needed.has(name));
  return job.dependencies === null ? named : [...named, ...jobsOfArtifacts(pipeline, job)];
}

function refuseMissing(pipeline: Pipeline, job: PipelineJob): void {
  const [missing] = missingNeeds(pipeline, job);
  if (missing === undefined) return;
  throw refused(
    `Cannot run job ${JSON.stringify(job.name)}: it needs ${
      JSON.stringify(missing.job)
    }, which is not in the pipeline`,
    "Change the rules of one of them, or write optional: true in needs:",
  );
}
