/** One call of `pipeline`: from the working copy to the exit code. */

import { join } from "@std/path/posix";
import type { Context } from "../../app/command.ts";
import { selfArgv } from "../../app/self_argv.ts";
import type { Config } from "../../config/settings.ts";
import type { Ending } from "../../ending.ts";
import { messageOf } from "../../failure.ts";
import { findRunnerProgram } from "../../gitlab/runner_program.ts";
import type { Host } from "../../host/host.ts";
import { PIPELINE_CACHES } from "../../machines/record/caches.ts";
import { sha256 } from "../../text/hash.ts";
import type { Archiver } from "../job/archives.ts";
import { runJob } from "../job/run_job.ts";
import type { JobResult, Pipeline, PipelineJob, Snapshot } from "../model.ts";
import { readPipeline } from "../read/read_pipeline.ts";
import { chooseJobs } from "../run/choose_jobs.ts";
import type { Progress } from "../run/run_jobs.ts";
import { jobsOfArtifacts } from "../run/states.ts";
import { formatResults, resultsAsJson } from "../show/progress.ts";
import { takeSnapshot } from "../source/snapshot.ts";
import { pipelineVariables } from "../source/variables.ts";
import type { PipelineOptions } from "./options.ts";
import { slowSteps } from "./slow_steps.ts";
import { type Interrupts, type JobRunner, playPipeline } from "./play.ts";

/** A pipeline, and what its jobs share. */
export interface Session {
  readonly host: Host;
  readonly config: Config;
  /** The folder of its files. */
  readonly folder: string;
  readonly snapshot: Snapshot;
  /** Predefined variables of all jobs. */
  readonly predefined: Readonly<Record<string, string>>;
  /** With all jobs, or those that were chosen. */
  readonly pipeline: Pipeline;
}

/**
 * Takes a snapshot of the working copy and reads its pipeline.
 *
 * @param folder An empty folder for its files, in the store's folder of pipelines.
 */
export async function openSession(
  { host, config: load }: Context,
  folder: string,
  options: PipelineOptions,
  interrupt: AbortSignal,
): Promise<Session> {
  const config = await load();
  using steps = slowSteps(host);
  const workingCopy = await host.files.real(".") ?? ".";
  steps.begin(`Copying ${options.commit ?? "the working copy"}`);
  const snapshot = await takeSnapshot(host, {
    workingCopy,
    ...{ folder, interrupt },
    ...(options.commit === undefined ? {} : { commit: options.commit }),
  });
  const created = host.clock.now();
  const predefined = pipelineVariables(snapshot, {
    ...{ id: Math.floor(created / 1000), created, configPath: options.file },
  });
  steps.begin(`Reading ${options.file}`);
  const pipeline = await readPipeline(host, config, {
    ...{ folder, predefined, interrupt, changes: await snapshot.changedFiles() },
    ...{ file: options.file, variables: options.variables, fetch: options.fetch },
  });
  for (const warning of pipeline.warnings) host.log.warn(warning);
  const chosen = chooseJobs(pipeline, options.jobs);
  return { host, config, folder, snapshot, predefined, pipeline: chosen };
}

/** Runs the jobs, and prints how they ended. */
export async function runSession(
  context: Context,
  session: Session,
  options: PipelineOptions,
  interrupts: Interrupts,
): Promise<Ending> {
  const { host, pipeline } = session;
  const run = await jobRunner(context, session, options);
  const { progress, ending } = await playPipeline(host, pipeline, options, interrupts, run);
  if (options.stream === "stderr") host.terminal.out(resultsAsJson(progress));
  else host.terminal.out(`\n${formatResults(progress)}`);
  if (options.keep) sayKept(host, progress);
  return ending;
}

async function jobRunner(
  context: Context,
  { host, config, folder, snapshot, predefined, pipeline }: Session,
  options: PipelineOptions,
): Promise<JobRunner> {
  const driver = await selfArgv(context);
  const archiver = await archiverOf(host, config);
  const { workingCopy, owner } = snapshot;
  // A repository may name the folder of another user as its working copy, whose caches are not for its jobs.
  const cacheFolder = join(
    config.store,
    PIPELINE_CACHES.name,
    await sha256([owner, workingCopy].join()),
  );
  let attempts = 0;
  return async (job, progress, output, interrupt) => {
    const jobFolder = join(folder, `job-${attempts++}`);
    try {
      return await runJob(host, {
        ...{ driver, snapshot, job, archiver, cacheFolder, output, interrupt },
        ...{ folder: jobFolder, pipeline: predefined, keep: options.keep },
        variables: variablesFor(pipeline, job, progress, options),
        artifactsOf: artifactsFor(pipeline, job, progress),
      });
    } catch (error) {
      output(`${messageOf(error)}\n`);
      return NOT_RUN;
    }
  };
}

/** The result of a job that the host could not run. */
const NOT_RUN: JobResult = {
  ...{ id: 0, kind: "system", code: 1, seconds: 0 },
  ...{ artifacts: null, reports: null, dotenv: {} },
};

async function archiverOf(host: Host, config: Config): Promise<Archiver> {
  const program = await findRunnerProgram(host, config.gitlab_runner);
  const archiver = program === null ? "tar" : "gitlab-runner";
  host.log.info(`Artifacts and caches are packed by ${archiver}`);
  return archiver;
}

/** The variables of dotenv reports replace those of the file, and those of the command line replace these. */
function variablesFor(
  pipeline: Pipeline,
  job: PipelineJob,
  progress: Progress,
  { variables, masked }: PipelineOptions,
) {
  const reports = resultsFor(pipeline, job, progress).map(({ result }) => result.dotenv);
  return [...reports, variables].flatMap((variables) =>
    // A masked value in which $ were expanded would be another one, and shown.
    Object.entries(variables).map(([key, value]) => ({ key, value, raw: masked.includes(value) }))
  );
}

function artifactsFor(pipeline: Pipeline, job: PipelineJob, progress: Progress) {
  return resultsFor(pipeline, job, progress).flatMap(({ name, result: { artifacts } }) =>
    artifacts === null ? [] : [{ job: name, file: artifacts }]
  );
}

/** Returns the last results of the jobs whose artifacts a job gets. */
function resultsFor(pipeline: Pipeline, job: PipelineJob, progress: Progress) {
  return jobsOfArtifacts(pipeline, job).flatMap(({ name }) => {
    const result = progress.get(name)?.results.at(-1);
    return result === undefined ? [] : [{ name, result }];
  });
}

/** Names the machines that are kept. */
function sayKept(host: Host, progress: Progress): void {
  for (const { job, state, results } of progress.values()) {
    const id = results.at(-1)?.id;
    if (!id || state !== "failed" && state !== "warned") continue;
    host.log.info(`Kept the files of job ${job.name}: nspawn-runner shell ${id}`);
  }
}
