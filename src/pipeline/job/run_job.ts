/** Runs one job of a pipeline, from config to cleanup, by calls of this program as GitLab Runner makes them. */

import { join } from "@std/path/posix";
import { type PlayedEnding, playJob, type StagePlan } from "../../app/job_runner.ts";
import { isSuccess } from "../../ending.ts";
import { messageOf } from "../../failure.ts";
import type { Argv, Host } from "../../host/host.ts";
import { timerTime } from "../../app/timer.ts";
import type { JobResult, JobVariable, PipelineJob, Snapshot } from "../model.ts";
import { archiveLimit } from "../archive_limit.ts";
import { archiveName, type Archiver } from "./archives.ts";
import { findCaches, type JobCache } from "./caches.ts";
import { DOTENV_BYTES, parseDotenv } from "./dotenv.ts";
import { runnerJob } from "./response.ts";
import { type ResultFiles, resultFiles } from "./results.ts";
import { warning } from "./shell.ts";
import { type JobSources, sourcesOf } from "./sources.ts";
import { inputName, jobStages } from "./stages.ts";
import { type JobVariables, variablesOf } from "./variables.ts";

/** A job to run, and what it needs. */
export interface JobOptions {
  /** The words that call this program; a command follows. */
  readonly driver: Argv;
  /** A new folder for its files, below the store's folder of pipelines, for root alone. */
  readonly folder: string;
  readonly snapshot: Snapshot;
  readonly job: PipelineJob;
  /** The predefined variables of the pipeline. */
  readonly pipeline: Readonly<Record<string, string>>;
  /** In addition to those of the file, which they replace; of a name that is there twice, the last one counts. */
  readonly variables: readonly JobVariable[];
  /** The jobs whose artifacts it gets, with their archives. */
  readonly artifactsOf: readonly { readonly job: string; readonly file: string }[];
  /** The folder of the project's caches, for root alone. */
  readonly cacheFolder: string;
  readonly archiver: Archiver;
  /** Gets its output. */
  readonly output: (piece: Uint8Array) => void;
  /** Whether its files are kept if it fails. */
  readonly keep: boolean;
  /** Cancels it when aborted; its cleanup still runs. */
  readonly interrupt: AbortSignal;
}

/** A job that runs. */
interface Run extends JobOptions {
  readonly host: Host;
  readonly id: number;
  readonly began: number;
  readonly results: ResultFiles;
  readonly caches: readonly JobCache[];
  readonly sources: JobSources;
}

/** Runs one attempt of a job. */
export async function runJob(host: Host, options: JobOptions): Promise<JobResult> {
  const began = host.clock.now();
  const monotonic = host.clock.monotonic();
  const id = newId(began, host.pid());
  const { folder, archiver, job, snapshot, cacheFolder } = options;
  const results = resultFiles(folder, archiver);
  const early = variablesOf({ ...given(options), id, began, buildsDir: "" });
  await host.files.makeDirectory(folder);
  await host.files.makeDirectory(results.caches);
  const sources = await sourcesOf(snapshot, job, early);
  const caches = await findCaches(host, {
    ...{ caches: job.caches, variables: early, snapshot, folder: cacheFolder, archiver },
  });
  const run: Run = { ...options, host, id, began, results, caches, sources };
  const deadline = new AbortController();
  const forget = host.clock.after(timerTime(job.timeout), () => deadline.abort());
  try {
    const played = await play(run, early, AbortSignal.any([options.interrupt, deadline.signal]));
    const kind = kindOf(played, options.interrupt.aborted, deadline.signal.aborted);
    const seconds = (host.clock.monotonic() - monotonic) / 1000;
    return await resultOf(run, kind, played, seconds);
  } finally {
    forget();
    await host.files.removeTree(join(folder, RUNNER_FOLDER));
    await host.files.removeTree(join(folder, INPUT_FOLDER));
  }
}

const RUNNER_FOLDER = "runner";
const INPUT_FOLDER = "input";

function given({ job, pipeline, variables }: JobOptions) {
  return { job, pipeline, given: variables };
}

let lastId = 0;

/** Returns an id as unique as those of a real server, so that two pipelines do not meet. */
function newId(now: number, pid: number): number {
  const id = now * 1000 + pid % 1000;
  lastId = id > lastId ? id : lastId + 1000;
  return lastId;
}

async function play(run: Run, early: JobVariables, interrupt: AbortSignal): Promise<PlayedEnding> {
  const { host, id, job, snapshot, driver, archiver, output, artifactsOf, variables } = run;
  const folder = join(run.folder, RUNNER_FOLDER);
  await host.files.makeDirectory(folder);
  return await playJob(host, {
    ...{ driver, folder, interrupt },
    job: runnerJob({
      ...{ id, job, archiver, variables: early, given: variables, commit: snapshot.commit },
      getsArchives: artifactsOf.length > 0,
    }),
    plan: (config) => plan(run, config),
    onOutput: output,
  });
}

async function plan(
  run: Run,
  config: Parameters<Parameters<typeof playJob>[1]["plan"]>[0],
): Promise<StagePlan> {
  const { host, id, began, job, output, caches, artifactsOf } = run;
  const variables = variablesOf({ ...given(run), id, began, buildsDir: config.buildsDir });
  const input = await makeInput(run);
  const toOutput = (line: string) => output(encoded(line));
  const { CI_BUILDS_DIR, CI_PROJECT_DIR, RUNNER_TEMP_PROJECT_DIR } = Object.fromEntries(
    variables.all.map(({ key, value }) => [key, value]),
  );
  return {
    stages: jobStages(host, {
      ...{ job, variables, config, caches, output: toOutput },
      ...{ archiver: run.archiver, sources: run.sources, results: run.results },
      archiveLimit: hasArchives(job) ? await archiveLimit(host, run.folder) : undefined,
      artifactsOf: artifactsOf.map(({ job, file }, index) => ({
        job,
        name: inputName(index, file),
      })),
    }),
    variables: {
      CI_BUILDS_DIR: CI_BUILDS_DIR!,
      CI_PROJECT_DIR: CI_PROJECT_DIR!,
      RUNNER_TEMP_PROJECT_DIR: RUNNER_TEMP_PROJECT_DIR!,
    },
    prepareEnv: {
      ...(input === null ? {} : { NSPAWN_RUNNER_INPUT: input }),
      ...(run.keep ? { NSPAWN_RUNNER_KEEP: `${KEEP_SECONDS}` } : {}),
    },
  };
}

function hasArchives({ artifacts, caches }: PipelineJob): boolean {
  return artifacts !== null || caches.length > 0;
}

/** Seconds for which the files of a failed job are kept. */
const KEEP_SECONDS = 24 * 3600;

/** Makes the folder that the machine sees; null where it would be empty. */
async function makeInput(run: Run): Promise<string | null> {
  const { host, sources, caches, artifactsOf, archiver } = run;
  const files = [
    ...sources.archives,
    ...artifactsOf.map(({ file }, index) => ({ name: inputName(index, file), file })),
    ...caches.flatMap(({ found }, index) =>
      found === null ? [] : [{ name: archiveName(`cache-${index}`, archiver), file: found.file }]
    ),
  ];
  if (files.length === 0) return null;
  const folder = join(run.folder, INPUT_FOLDER);
  await host.files.makeDirectory(folder, 0o755);
  for (const { name, file } of files) await host.files.link(file, join(folder, name));
  return folder;
}

function kindOf(
  { ending, timedOut }: PlayedEnding,
  isCancelled: boolean,
  isLate: boolean,
): JobResult["kind"] {
  if (isCancelled) return "cancelled";
  if (isLate || timedOut) return "timeout";
  if (ending.kind === "lost") return "system";
  return isSuccess(ending) ? "success" : "script";
}

async function resultOf(
  run: Run,
  kind: JobResult["kind"],
  { ending }: PlayedEnding,
  seconds: number,
): Promise<JobResult> {
  const { host, id, results, output } = run;
  const code = kind === "success" || ending.kind !== "exited" || kind !== "script"
    ? 1
    : ending.code;
  const result: JobResult = {
    ...{ id, kind, seconds, dotenv: {} },
    code: kind === "success" ? 0 : code,
    artifacts: await archiveAt(host, results.artifacts),
    reports: await archiveAt(host, results.reports),
  };
  try {
    return { ...result, dotenv: await readDotenv(host, results.dotenv) };
  } catch (error) {
    output(encoded(warning(messageOf(error))));
    return kind === "success" ? { ...result, kind: "script", code: 1 } : result;
  }
}

function encoded(line: string): Uint8Array {
  return new TextEncoder().encode(`${line}\n`);
}

async function archiveAt(host: Host, file: string): Promise<string | null> {
  const stat = await host.files.stat(file);
  if (stat === null) return null;
  if (stat.size === 0) {
    await host.files.remove(file);
    return null;
  }
  await host.files.chmod(file, 0o644); // users of machines read it
  return file;
}

async function readDotenv(host: Host, file: string): Promise<Record<string, string>> {
  const bytes = await host.files.readStart(file, DOTENV_BYTES + 1);
  await host.files.remove(file);
  return bytes === null || bytes.length === 0 ? {} : parseDotenv(new TextDecoder().decode(bytes));
}
