/** The stages of a job of a pipeline, in GitLab Runner's order. */

import { basename, join } from "@std/path/posix";
import type { ConfigAnswer } from "../../app/job_runner.ts";
import { type Stage, stageScript } from "../../gitlab/runner_job.ts";
import type { Host } from "../../host/host.ts";
import { INPUT_INSIDE } from "../../machines/start/input.ts";
import { quote } from "../../text/quote.ts";
import type { PipelineArtifacts, PipelineJob } from "../model.ts";
import {
  archiveLines,
  archiveName,
  type Archiver,
  printFilesLines,
  unpackLine,
} from "./archives.ts";
import { cacheStages, type JobCache, missingCacheLines } from "./caches.ts";
import { DOTENV_BYTES } from "./dotenv.ts";
import { cleanupLines, commandLines, exportLines, notice, print, warning } from "./shell.ts";
import type { ResultFiles } from "./results.ts";
import type { JobSources } from "./sources.ts";
import type { JobVariables } from "./variables.ts";

/** What the stages are made of. */
export interface StageSources {
  readonly job: PipelineJob;
  readonly variables: JobVariables;
  readonly config: ConfigAnswer;
  readonly archiver: Archiver;
  readonly sources: JobSources;
  readonly caches: readonly JobCache[];
  /** Jobs whose artifacts it gets, with the names of their archives in the input. */
  readonly artifactsOf: readonly { readonly job: string; readonly name: string }[];
  readonly results: ResultFiles;
  /** Bytes that each archive may have; undefined where the free space of the disk is not known. */
  readonly archiveLimit: number | undefined;
  readonly output: (line: string) => void;
}

/** GitLab Runner's default of RUNNER_AFTER_SCRIPT_TIMEOUT, in seconds. */
const AFTER_SCRIPT_LIMIT = 300;

/** Returns the stages of a job; those with nothing to do are left out. */
export function jobStages(host: Host, given: StageSources): Stage[] {
  return allStages(host, given).map((stage) =>
    stage.stdout === undefined ? stage : withLimit(stage, given)
  );
}

/** A job must not fill the disk of the host. */
function withLimit(stage: Stage, { archiveLimit, output }: StageSources): Stage {
  if (archiveLimit === undefined) return stage;
  return {
    ...stage,
    stdoutLimit: archiveLimit,
    onEnd: async (code) => {
      if (code === TOO_LONG) output(warning("The archive does not fit on the disk of the host"));
      await stage.onEnd?.(code);
    },
  };
}

/** The exit code of a process that SIGXFSZ ended. */
const TOO_LONG = 153;

function allStages(host: Host, given: StageSources): Stage[] {
  const { job, variables, caches, output } = given;
  const inProject = scripts(given);
  const afterFails = variables.get("AFTER_SCRIPT_IGNORE_ERRORS") === "false";
  const script = commandLines([...job.beforeScript, ...job.script]);
  return [
    stage("get_sources", "success", sourcesScript(given)),
    ...inputStages(given, inProject),
    {
      ...stage("build_script", "success", inProject(script)),
      ...limitOf(variables, "RUNNER_SCRIPT_TIMEOUT"),
    },
    ...(job.afterScript.length === 0 ? [] : [{
      ...stage("after_script", "always", inProject(afterLines(job)), afterFails),
      limit: AFTER_SCRIPT_LIMIT,
      ...limitOf(variables, "RUNNER_AFTER_SCRIPT_TIMEOUT"),
    }]),
    ...cacheStages(host, caches, inProject, given, output),
    ...(job.artifacts === null ? [] : artifactStages(host, given, job.artifacts, inProject)),
    stage(
      "cleanup_file_variables",
      "always",
      () => stageScript(cleanupLines(variables).join("\n"), given.config.shell),
      false,
    ),
  ];
}

function stage(
  name: string,
  when: Stage["when"],
  script: Stage["script"],
  counts = true,
): Stage {
  return { name, when, script, counts };
}

/** Makes the script of a stage of its lines. */
type MakeScript = (lines: readonly string[]) => Stage["script"];

function scripts({ variables, config }: StageSources): MakeScript {
  const isTraced = variables.get("CI_DEBUG_TRACE") === "true";
  return (lines) => (status) => {
    const all = [
      ...exportLines(variables, status),
      `cd ${quote(variables.projectDir)}`,
      ...lines,
    ];
    return stageScript(all.join("\n"), config.shell, isTraced);
  };
}

function sourcesScript({ variables, config, sources, caches }: StageSources): Stage["script"] {
  return (status) =>
    stageScript(
      [
        'echo "Running on $(hostname)..."',
        ...exportLines(variables, status),
        ...sources.lines(INPUT_INSIDE, variables),
        ...missingCacheLines(caches).map(print),
      ].join("\n"),
      config.shell,
    );
}

function inputStages(given: StageSources, inProject: MakeScript): Stage[] {
  const { caches, artifactsOf, archiver } = given;
  const unpack = (name: string) => unpackLine(archiver, join(INPUT_INSIDE, name));
  const restore = caches.flatMap(({ found }, index) =>
    found === null ? [] : [
      print(notice(`Checking cache for ${found.key}...`)),
      `if ${unpack(archiveName(`cache-${index}`, archiver))}; then`,
      print(notice("Successfully extracted cache")),
      "else",
      print(warning("Failed to extract cache")),
      "fi",
    ]
  );
  const download = artifactsOf.flatMap(({ job, name }) => [
    print(notice(`Downloading artifacts for ${job}...`)),
    unpack(name),
  ]);
  return [
    ...(restore.length === 0 ? [] : [stage("restore_cache", "success", inProject(restore))]),
    ...(download.length === 0 ? [] : [stage("download_artifacts", "success", inProject(download))]),
  ];
}

function afterLines({ afterScript }: PipelineJob): string[] {
  return [print(notice("Running after script...")), ...commandLines(afterScript)];
}

function artifactStages(
  host: Host,
  { variables, archiver, results }: StageSources,
  artifacts: PipelineArtifacts,
  inProject: MakeScript,
): Stage[] {
  const { paths, exclude, untracked, when, reports, dotenv } = artifacts;
  const archive = (name: string, files: Parameters<typeof archiveLines>[1]) =>
    inProject([
      `${print(notice(`Uploading ${name}...`))} >&2`,
      ...archiveLines(archiver, files, variables),
    ]);
  const own = archive("artifacts", { paths, exclude, untracked });
  const hasOwn = paths.length > 0 || untracked;
  const printing = (
    name: string,
    when: Stage["when"],
    script: Stage["script"],
    stdout: string,
  ) => [{
    ...stage(name, when, script),
    stdout,
    onEnd: async (code: number) => {
      if (code !== 0) await host.files.remove(stdout); // a part of an archive
    },
  }];
  const isSent = (other: PipelineArtifacts["when"]) => hasOwn && when !== other;
  const toReports = archive("reports", { paths: reports, exclude: [], untracked: false });
  const toDotenv = inProject(dotenvLines(dotenv, variables));
  return [
    ...isSent("on_failure")
      ? printing("upload_artifacts_on_success", "success", own, results.artifacts)
      : [],
    ...isSent("on_success")
      ? printing("upload_artifacts_on_failure", "failure", own, results.artifacts)
      : [],
    ...reports.length > 0
      ? printing("upload_artifacts_reports", "always", toReports, results.reports)
      : [],
    ...dotenv.length > 0
      ? printing("upload_artifacts_dotenv", "always", toDotenv, results.dotenv)
      : [],
  ];
}

/** One byte more than a report may have, by which the host sees that it is too long. */
function dotenvLines(paths: readonly string[], variables: JobVariables): string[] {
  return [
    "{",
    ...printFilesLines(paths, variables),
    `} | { head -c ${DOTENV_BYTES + 1}; cat >/dev/null; }`,
  ];
}

/** Returns the limit that a variable sets, a duration of Go. */
function limitOf(variables: JobVariables, name: string): Pick<Stage, "limit"> {
  const text = variables.get(name) ?? "";
  const [, hours, minutes, seconds] =
    text.match(/^(?:(\d{1,4})h)?(?:(\d{1,6})m)?(?:(\d{1,8})s)?$/) ?? [];
  const limit = Number(hours ?? 0) * 3600 + Number(minutes ?? 0) * 60 + Number(seconds ?? 0);
  return limit > 0 ? { limit } : {};
}

/** Returns the name in a job's input of the artifacts of another job. */
export function inputName(index: number, file: string): string {
  return `artifacts-${index}-${basename(file)}`;
}
