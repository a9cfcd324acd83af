/** GitLab Runner's part, played without GitLab: its files, its environment, its stages. */

import { join } from "@std/path/posix";
import type { Host } from "../host/host.ts";
import { quote, quoteCommand } from "../text/quote.ts";

/** GitLab Runner's exit codes for drivers, as it sets them itself. */
export const BUILD_FAILURE = 1;
export const SYSTEM_FAILURE = 2;

/** A simulated job. */
export interface SimulatedJob {
  readonly id: number;
  /** As `image:` would name it; empty when the job names none. */
  readonly image: string;
  /** What the job runs, in a shell's words. */
  readonly script: string;
  /** Those that `variables:` would set. */
  readonly variables: Readonly<Record<string, string>>;
}

/** Who pretends to be the server; it is reached by nobody. */
const SERVER = "https://simulate.invalid";

/**
 * Writes what GitLab Runner keeps for a driver.
 *
 * @param host The outside.
 * @param folder The job's temporary folder.
 * @param job The job.
 * @returns The environment of every stage, on top of the caller's own.
 */
export async function stageEnvironment(
  host: Host,
  folder: string,
  job: SimulatedJob,
): Promise<Record<string, string>> {
  const response = join(folder, "response.json");
  await host.files.write(response, JSON.stringify(responseOf(job)));
  return {
    ...withoutJobs(host.environment()),
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
    CUSTOM_ENV_CI_JOB_SERVICES: "",
    CUSTOM_ENV_CI_SERVER: "yes",
    CUSTOM_ENV_CI_SERVER_URL: SERVER,
    CUSTOM_ENV_CI_PROJECT_PATH: "simulate/project",
    CUSTOM_ENV_CI_CONCURRENT_ID: "0",
    CUSTOM_ENV_RUNNER_TEMP_PROJECT_DIR: ".tmp",
    ...(job.image === "" ? {} : { CUSTOM_ENV_CI_JOB_IMAGE: job.image }),
  };
}

/** The fields of GitLab's answer to a request for a job that a driver may read. */
function responseOf(job: SimulatedJob): unknown {
  return {
    id: job.id,
    token: "",
    // No project's id: what a simulated job keeps in its cache goes with its machine.
    job_info: { name: "simulate", stage: "test", project_name: "project" },
    git_info: { repo_url: "", ref: "main", protected: false },
    runner_info: { timeout: 3600 },
    variables: [["CI_SERVER_URL", SERVER], ...Object.entries(job.variables)]
      .map(([key, value]) => ({ key, value, public: true, masked: false })),
    image: { name: job.image },
    services: [],
  };
}

function withoutJobs(environment: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => !name.startsWith("CUSTOM_ENV_")),
  );
}

/** One stage with a script. */
export interface Stage {
  readonly name: string;
  readonly script: string;
  /** When it runs: before anything failed, after, or in both cases. */
  readonly when: "success" | "failure" | "always";
  /** Whether its own failure fails the job. */
  readonly counts: boolean;
}

/**
 * The stages that run in the machine, in GitLab Runner's order.
 *
 * @param job The job.
 * @param buildsDir What the config stage answered.
 * @returns All of them; which are run depends on how the ones before ended.
 */
export function stagesOf(job: SimulatedJob, buildsDir: string): Stage[] {
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

/** A script as GitLab Runner builds them: traps, strict options, the body in a subshell without stdin. */
function scriptOf(body: string): string {
  return `#!/usr/bin/env bash

trap 'exit 1' TERM

case "$(set -o)" in *"pipefail"*) set -o pipefail;; esac; set -o errexit
set +o noclobber
(trap 'exit 1' TERM; eval ${quote(body + "\n")}) </dev/null
exit 0
`;
}

/**
 * What a job runs to execute a command.
 *
 * @param words The command and its arguments.
 * @returns A line of shell with each word as it is.
 */
export function commandScript(words: readonly string[]): string {
  return quoteCommand(words);
}

/**
 * What a job runs to execute a script's text: a script with a first line of its own is run as a
 * program, one without is read by the job's shell.
 *
 * @param text The script.
 * @returns Lines of shell.
 */
export function fileScript(text: string): string {
  if (!text.startsWith("#!")) return text;
  return `printf %s ${quote(text)} >"$CI_PROJECT_DIR.script"
chmod 755 "$CI_PROJECT_DIR.script"
"$CI_PROJECT_DIR.script"`;
}

/** What a job runs when nobody says what: a look around in the machine. */
export const SAMPLE_SCRIPT = `echo "Hello from $(hostname), job $CI_JOB_ID"
. /etc/os-release && echo "System: $PRETTY_NAME"
echo "User: $(id -un), home: $HOME, folder: $(pwd)"
echo "Init: $(cat /proc/1/comm)"
git --version
echo written >file && echo "A file written here is gone with the machine: $(cat file)"`;
