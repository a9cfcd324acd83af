/** The job of `simulate`: what an executor gets of it, and its stages. */

import { join } from "@std/path/posix";
import { quote, quoteCommand } from "../text/quote.ts";
import { type RunnerJob, shortServices, type Stage, stageScript } from "./runner_job.ts";

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

/** Returns what an executor gets of a simulated job. */
export function runnerJob(job: SimulatedJob): RunnerJob {
  return {
    response: responseOf(job),
    variables: {
      ...job.variables,
      CI: "true",
      GITLAB_CI: "true",
      CI_JOB_ID: String(job.id),
      CI_JOB_NAME: "simulate",
      CI_JOB_STAGE: "test",
      CI_JOB_SERVICES: shortServices(job.services),
      CI_SERVER: "yes",
      CI_SERVER_URL: SERVER,
      CI_PROJECT_PATH: "simulate/project",
      CI_CONCURRENT_ID: "0",
      RUNNER_TEMP_PROJECT_DIR: ".tmp",
      ...(job.image === "" ? {} : { CI_JOB_IMAGE: job.image }),
    },
  };
}

/** Returns the fields of GitLab's answer to a request for a job that an executor may read. */
function responseOf(job: SimulatedJob): RunnerJob["response"] {
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
    stageScript(`export ${own} CI_PROJECT_DIR=${quote(project)}
cd "$CI_PROJECT_DIR"
${body}`);
  const say = (text: string) => inProject(`echo ${quote(text)}`);
  const stage = (name: string, script: string, when: Stage["when"], counts = true) => ({
    name,
    script: () => script,
    when,
    counts,
  });
  return [
    stage("prepare_script", stageScript('echo "Running on $(hostname)..."'), "success"),
    stage(
      "get_sources",
      stageScript(`mkdir -p ${quote(project)}\necho "No repository: an empty project folder"`),
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
    stage("cleanup_file_variables", stageScript(`rm -rf ${quote(`${project}.tmp`)}`), "always"),
  ];
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
