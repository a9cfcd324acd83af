/** A simulated GitLab Runner: the files, the environment and the stages of a job, without GitLab. */

import { join } from "@std/path/posix";
import type { Host } from "../host/host.ts";
import { quote, quoteCommand } from "../text/quote.ts";

/** The exit codes that GitLab Runner passes to an executor. */
export const BUILD_FAILURE = 1;
export const SYSTEM_FAILURE = 2;

/** A simulated job. */
export interface SimulatedJob {
  readonly id: number;
  /** As in `image:`; empty for none. */
  readonly image: string;
  /** The job's `script:`. */
  readonly script: string;
  /** As in `variables:`. */
  readonly variables: Readonly<Record<string, string>>;
  /** As in `services:`. */
  readonly services: readonly SimulatedService[];
}

/** A service of a simulated job. */
export interface SimulatedService {
  readonly name: string;
  /** Several stand between commas and spaces; empty for none. */
  readonly alias: string;
}

/** A name that never resolves (RFC 6761). */
const SERVER = "https://simulate.invalid";

/**
 * Writes the files that GitLab Runner keeps for an executor.
 *
 * @param folder The job's temporary folder.
 * @returns The environment of every stage, the caller's own included.
 */
export async function stageEnvironment(
  host: Host,
  folder: string,
  job: SimulatedJob,
): Promise<Record<string, string>> {
  const response = join(folder, "response.json");
  await host.files.write(response, JSON.stringify(responseOf(job)));
  return {
    ...withoutJobVariables(host.environment()),
    ...Object.fromEntries(
      Object.entries(job.variables).map(([name, value]) => [`CUSTOM_ENV_${name}`, value]),
    ),
    TMPDIR: folder,
    JOB_RESPONSE_FILE: response,
    BUILD_EXIT_CODE_FILE: join(folder, "build_exit_code"),
    BUILD_FAILURE_EXIT_CODE: String(BUILD_FAILURE),
    SYSTEM_FAILURE_EXIT_CODE: String(SYSTEM_FAILURE),
    CUSTOM_ENV_CI: "true",
    CUSTOM_ENV_GITLAB_CI: "true",
    CUSTOM_ENV_CI_JOB_ID: String(job.id),
    CUSTOM_ENV_CI_JOB_NAME: "simulate",
    CUSTOM_ENV_CI_JOB_STAGE: "test",
    CUSTOM_ENV_CI_JOB_SERVICES: shortServices(job),
    CUSTOM_ENV_CI_SERVER: "yes",
    CUSTOM_ENV_CI_SERVER_URL: SERVER,
    CUSTOM_ENV_CI_PROJECT_PATH: "simulate/project",
    CUSTOM_ENV_CI_CONCURRENT_ID: "0",
    CUSTOM_ENV_RUNNER_TEMP_PROJECT_DIR: ".tmp",
    ...(job.image === "" ? {} : { CUSTOM_ENV_CI_JOB_IMAGE: job.image }),
  };
}

/** CI_JOB_SERVICES has the first alias alone: executors/custom/custom.go. */
function shortServices({ services }: SimulatedJob): string {
  if (services.length === 0) return "";
  return JSON.stringify(services.map(({ name, alias }) => ({
    name,
    alias: alias.split(/[, ]/)[0],
    entrypoint: null,
    command: null,
  })));
}

/** Returns the fields of GitLab's answer to a request for a job that an executor may read. */
function responseOf(job: SimulatedJob): unknown {
  return {
    id: job.id,
    token: "",
    // Without a project's id the cache of a simulated job is removed with its machine.
    job_info: { name: "simulate", stage: "test", project_name: "project" },
    git_info: { repo_url: "", ref: "main", protected: false },
    runner_info: { timeout: 3600 },
    variables: [["CI_SERVER_URL", SERVER], ...Object.entries(job.variables)]
      .map(([key, value]) => ({ key, value, public: true, masked: false })),
    image: { name: job.image },
    services: job.services.map(({ name, alias }) => alias === "" ? { name } : { name, alias }),
  };
}

function withoutJobVariables(environment: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => !name.startsWith("CUSTOM_ENV_")),
  );
}

/** One stage with a script. */
export interface Stage {
  readonly name: string;
  readonly script: string;
  /** Whether it runs after success, after a failure, or after both. */
  readonly when: "success" | "failure" | "always";
  /** Whether the job fails if this stage fails. */
  readonly counts: boolean;
}

/**
 * Returns the stages with a script, in GitLab Runner's order. Which of them run depends on the result of
 * those before.
 *
 * @param buildsDir As the config stage answered.
 */
export function simulatedStages(job: SimulatedJob, buildsDir: string): Stage[] {
  const project = join(buildsDir, "simulate", "project");
  const variables = Object.entries(job.variables).map(([name, value]) => `${name}=${quote(value)}`);
  const own = [`CI=true GITLAB_CI=true CI_JOB_ID=${job.id}`, ...variables].join(" ");
  const inProject = (body: string) =>
    scriptOf(`export ${own} CI_PROJECT_DIR=${quote(project)}
cd "$CI_PROJECT_DIR"
${body}`);
  const say = (text: string) => inProject(`echo ${quote(text)}`);
  const stage = (name: string, script: string, when: Stage["when"], counts = true) => ({
    name,
    script,
    when,
    counts,
  });
  return [
    stage("prepare_script", scriptOf('echo "Running on $(hostname)..."'), "success"),
    stage(
      "get_sources",
      scriptOf(`mkdir -p ${quote(project)}\necho "No repository: an empty project folder"`),
      "success",
    ),
    stage("restore_cache", say("No cache to restore"), "success"),
    stage("download_artifacts", say("No artifacts to download"), "success"),
    stage("build_script", inProject(job.script), "success"),
    stage("after_script", say("No after_script"), "always", false),
    stage("archive_cache", say("No cache to keep"), "success"),
    stage("archive_cache_on_failure", say("No cache to keep"), "failure"),
    stage("upload_artifacts_on_success", say("No artifacts to upload"), "success"),
    stage("upload_artifacts_on_failure", say("No artifacts to upload"), "failure"),
    stage("cleanup_file_variables", scriptOf(`rm -rf ${quote(`${project}.tmp`)}`), "always"),
  ];
}

/** Returns a script as GitLab Runner generates it: traps, strict options, the body in a subshell without stdin. */
function scriptOf(body: string): string {
  return `#!/usr/bin/env bash

trap 'exit 1' TERM

case "$(set -o)" in *"pipefail"*) set -o pipefail;; esac; set -o errexit
set +o noclobber
(trap 'exit 1' TERM; eval ${quote(body + "\n")}) </dev/null
exit 0
`;
}

/** Returns the script of a job that runs a command with these arguments, whatever characters they contain. */
export function commandScript(words: readonly string[]): string {
  return quoteCommand(words);
}

/**
 * Returns the script of a job that runs a script file: one with a `#!` line runs as a program, one without in
 * the job's shell.
 */
export function fileScript(text: string): string {
  if (!text.startsWith("#!")) return text;
  return `printf %s ${quote(text)} >"$CI_PROJECT_DIR.script"
chmod 755 "$CI_PROJECT_DIR.script"
"$CI_PROJECT_DIR.script"`;
}

/** The script of a job without one: it prints a few facts about the machine. */
export const SAMPLE_SCRIPT = `echo "Hello from $(hostname), job $CI_JOB_ID"
. /etc/os-release && echo "System: $PRETTY_NAME"
echo "User: $(id -un), home: $HOME, folder: $(pwd)"
echo "Init: $(cat /proc/1/comm)"
git --version
echo written >file && echo "A file written here is gone with the machine: $(cat file)"`;
