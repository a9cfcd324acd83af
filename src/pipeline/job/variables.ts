/** The variables of a job of a pipeline: those of GitLab, the file, the person, and GitLab Runner. */

import { join } from "@std/path/posix";
import { expandBy } from "../../images/request/variables.ts";
import { VERSION } from "../../version.ts";
import type { JobVariable, PipelineJob } from "../model.ts";
import { slugOf, timeOf } from "../source/variables.ts";
import { expandInOneAnother } from "./expand.ts";

/** What the variables of a job are made of. */
export interface VariableSources {
  readonly id: number;
  readonly job: PipelineJob;
  /** Those that all jobs of the pipeline share. */
  readonly pipeline: Readonly<Record<string, string>>;
  /** In addition to those of the file, which they replace; of a name that is there twice, the last one counts. */
  readonly given: readonly JobVariable[];
  /** Milliseconds since 1970. */
  readonly began: number;
  /** As the config stage answered; empty before. */
  readonly buildsDir: string;
}

/** The variables of a job, expanded. */
export interface JobVariables {
  /** In their order; the value of a file is its content. */
  readonly all: readonly JobVariable[];
  readonly projectDir: string;
  /** The folder of files that belong to the job and not to the project. */
  readonly temporary: string;
  /** Returns a text with its references expanded. */
  expand(text: string): string;
  /** Returns a value; of a file, its path. */
  get(name: string): string | undefined;
}

/** Returns the variables of a job. */
export function variablesOf(sources: VariableSources): JobVariables {
  const { pipeline, job, given, buildsDir } = sources;
  const projectDir = buildsDir === "" ? "" : join(buildsDir, pipeline["CI_PROJECT_PATH"]!);
  const temporary = `${projectDir}.tmp`;
  const own = expandInOneAnother([
    ...list(pipeline),
    ...list(jobVariables(sources)),
    ...list(job.variables),
    ...list(environmentVariables(job)),
    ...given,
  ]);
  const unique = new Map(
    [
      ...list(runnerVariablesBefore(buildsDir, projectDir, job)),
      ...own,
      ...list(runnerVariablesAfter(temporary)),
    ].filter(({ key }) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(key)).map((one) => [one.key, one]),
  );
  const read = (name: string, values: ReadonlyMap<string, JobVariable>) => {
    const variable = values.get(name);
    return variable?.file ? join(temporary, name) : variable?.value;
  };
  const all = [...unique.values()].map((variable) => ({
    ...variable,
    value: variable.raw || variable.file
      ? variable.value
      : expandBy((name) => read(name, unique), variable.value),
  }));
  const values = new Map(all.map((variable) => [variable.key, variable]));
  const get = (name: string) => read(name, values);
  return { all, projectDir, temporary, expand: (text) => expandBy(get, text), get };
}

function list(variables: Readonly<Record<string, string>>): JobVariable[] {
  return Object.entries(variables).map(([key, value]) => ({ key, value }));
}

function jobVariables({ id, job, began }: VariableSources): Record<string, string> {
  return {
    CI_JOB_ID: `${id}`,
    CI_JOB_NAME: job.name,
    CI_JOB_NAME_SLUG: slugOf(job.name),
    CI_JOB_GROUP_NAME: job.key,
    CI_JOB_STAGE: job.stage,
    CI_JOB_STARTED_AT: timeOf(began),
    ...(job.when === "manual" ? { CI_JOB_MANUAL: "true" } : {}),
    ...(job.image === null ? {} : { CI_JOB_IMAGE: job.image.name }),
    ...(job.node === null ? {} : { CI_NODE_INDEX: `${job.node.index}` }),
    CI_NODE_TOTAL: `${job.node?.total ?? 1}`,
    CI_RUNNER_DESCRIPTION: "nspawn-runner pipeline",
    CI_RUNNER_TAGS: "[]",
  };
}

function environmentVariables({ environment }: PipelineJob): Record<string, string> {
  if (environment === null) return {};
  return {
    CI_ENVIRONMENT_NAME: environment.name,
    CI_ENVIRONMENT_SLUG: slugOf(environment.name).slice(0, 24).replace(/-+$/, ""),
    ...(environment.url === "" ? {} : { CI_ENVIRONMENT_URL: environment.url }),
  };
}

/** GetDefaultVariables() in common/build.go of GitLab Runner. */
function runnerVariablesBefore(
  buildsDir: string,
  projectDir: string,
  { timeout }: PipelineJob,
): Record<string, string> {
  return {
    CI_BUILDS_DIR: buildsDir,
    CI_PROJECT_DIR: projectDir,
    CI_CONCURRENT_ID: "0",
    CI_CONCURRENT_PROJECT_ID: "0",
    CI_SERVER: "yes",
    CI_JOB_STATUS: "running",
    CI_JOB_TIMEOUT: `${timeout}`,
  };
}

function runnerVariablesAfter(temporary: string): Record<string, string> {
  return {
    CI_SHARED_ENVIRONMENT: "true",
    CI_RUNNER_VERSION: VERSION,
    CI_RUNNER_EXECUTABLE_ARCH: "linux/amd64",
    RUNNER_TEMP_PROJECT_DIR: temporary,
    GITLAB_ENV: join(temporary, ENV_FILE),
  };
}

/** The file with variables that a stage leaves to the stages after it. */
export const ENV_FILE = "gitlab_runner_env";
