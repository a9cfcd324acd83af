/** GitLab Runner's part of the contract: its files, its environment, its calls, its scripts. */

import type { Result, Running } from "../hosts/command.ts";
import type { Site } from "../hosts/site.ts";
import { responseOf, variablesOf } from "./job.ts";
import type { JobPlan } from "./job.ts";

/** The arguments of the four stages, as config.toml has them. */
export interface Section {
  readonly config: readonly string[];
  readonly prepare: readonly string[];
  readonly run: readonly string[];
  readonly cleanup: readonly string[];
}

/** As `nspawn-runner toml` prints them. */
const SECTION: Section = {
  config: ["gitlab-config"],
  prepare: ["prepare"],
  run: ["run"],
  cleanup: ["cleanup"],
};

/** The result of a stage. */
export interface StageResult extends Result {
  /** The contents of BUILD_EXIT_CODE_FILE; null if it does not exist. */
  readonly exitCode: string | null;
}

/** One attempt of a job. */
export interface Attempt {
  /** Returns the project's folder in the machine, as the config stage decided. */
  readonly project: () => string;
  config(): Promise<StageResult>;
  prepare(): Promise<StageResult>;
  /** Runs a stage; `body` becomes a part of its script. */
  run(stage: string, body: string): Promise<StageResult>;
  /** Starts prepare. */
  startPrepare(): Running;
  /** Runs a stage with a whole script. */
  runScript(stage: string, script: string): Promise<StageResult>;
  /** Starts a stage. */
  startRun(stage: string, body: string): Promise<Running>;
  cleanup(): Promise<StageResult>;
  /** Removes the attempt's folder, after cleanup. */
  close(): Promise<void>;
}

/** Exit codes that a driver would not use by itself. */
export const BUILD_FAILURE = 41;
export const SYSTEM_FAILURE = 42;

/**
 * Begins an attempt of a job.
 *
 * @param section The driver's arguments.
 * @param caller A command that calls the driver.
 */
export async function attempt(
  site: Site,
  plan: JobPlan,
  section: Section = SECTION,
  caller: readonly string[] = [],
): Promise<Attempt> {
  const { host } = site;
  const template = plan.folder ?? "/tmp/custom-executorXXXXXX";
  const folder = (await host.exec(["mktemp", "-d", template])).stdout.trim();
  const response = await site.put(JSON.stringify(responseOf(plan)), `${folder}/response.json`);
  await host.exec(["chmod", "0600", response]);
  const codeFile = `${folder}/build_exit_code`;
  let builds = "";
  let jobEnv: Record<string, string> = {};
  let scripts = 0;

  const project = () => `${builds}/group/project`;
  const environment = () => ({
    ...customEnvironment(plan, builds),
    ...jobEnv,
    BUILD_EXIT_CODE_FILE: codeFile,
    BUILD_FAILURE_EXIT_CODE: `${BUILD_FAILURE}`,
    SYSTEM_FAILURE_EXIT_CODE: `${SYSTEM_FAILURE}`,
    JOB_RESPONSE_FILE: response,
    TMPDIR: folder,
  });
  const startStage = (words: readonly string[]) =>
    host.start([...caller, ...site.words(words)], { env: environment(), cwd: folder });
  const ended = async (running: Running): Promise<StageResult> => {
    const result = await running.ended;
    const exitCode = await Deno.readTextFile(host.outerPath(codeFile)).catch(() => null); // none
    return { ...result, exitCode };
  };
  const stage = (words: readonly string[]) => ended(startStage(words));
  const layScript = async (script: string) => {
    const own = `${folder}/script${scripts++}`;
    await Deno.mkdir(host.outerPath(own));
    return await site.put(script, `${own}/script`);
  };
  const runScript = async (name: string, script: string) =>
    stage([...section.run, await layScript(script), name]);
  const scriptFor = (body: string) => stageScript(`${variablesOf(plan, builds)}${body}\n`);

  return {
    project,
    config: async () => {
      const result = await stage(section.config);
      if (result.code === 0) {
        const answer = JSON.parse(result.stdout);
        builds = answer.builds_dir;
        jobEnv = answer.job_env ?? {};
      }
      return result;
    },
    prepare: () => stage(section.prepare),
    startPrepare: () => startStage(section.prepare),
    run: (name, body) => runScript(name, scriptFor(body)),
    runScript,
    startRun: async (name, body) =>
      startStage([...section.run, await layScript(scriptFor(body)), name]),
    cleanup: () => stage(section.cleanup),
    close: async () => void await host.exec(["rm", "-rf", folder]),
  };
}

/** Returns the job's variables with the prefix for the driver; the folders are empty before config. */
function customEnvironment(plan: JobPlan, builds: string): Record<string, string> {
  const project = builds === "" ? "" : `${builds}/group/project`;
  const all: Record<string, string> = {
    CI: "true",
    CI_BUILDS_DIR: builds,
    CI_CONCURRENT_ID: "0",
    CI_CONCURRENT_PROJECT_ID: "0",
    CI_JOB_ID: `${plan.id}`,
    CI_JOB_NAME: "job [1/2]: ünï",
    CI_JOB_SERVICES: servicesOf(plan),
    CI_JOB_STAGE: "test",
    CI_JOB_STATUS: "running",
    CI_JOB_TOKEN: "glcbt-EXAMPLE-TOKEN",
    CI_PROJECT_DIR: project,
    CI_PROJECT_PATH: "group/project",
    CI_SERVER: "yes",
    CI_SERVER_URL: "https://gitlab.example",
    CONF_FILE: "the contents of a file\n",
    GITLAB_CI: "true",
    ODD: 'it\'s "odd" $HOME `x` \\ ü\nsecond line',
    RUNNER_TEMP_PROJECT_DIR: `${project}.tmp`,
    ...(plan.image === "" ? {} : { CI_JOB_IMAGE: plan.image }),
    ...plan.overrides,
    ...plan.privateVariables,
    ...plan.secrets,
  };
  return Object.fromEntries(
    Object.entries(all).map(([name, value]) => [`CUSTOM_ENV_${name}`, value]),
  );
}

/** Returns the services as GitLab Runner's executor for custom drivers tells them: not all of what the job says. */
function servicesOf({ services }: JobPlan): string {
  if (services === undefined) return "";
  return JSON.stringify(services.map(({ name, alias = "", entrypoint = null, command = null }) => ({
    name,
    alias: alias.split(/[ ,]/)[0],
    entrypoint,
    command,
  })));
}

/**
 * Returns a script as GitLab Runner builds it for bash: traps, strict options, and the body as one word that a subshell
 * evaluates.
 */
export function stageScript(body: string): string {
  return `#!/usr/bin/env bash

trap 'exit 1' TERM

case "$(set -o)" in *"pipefail"*) set -o pipefail;; esac; set -o errexit
set +o noclobber
(trap 'exit 1' TERM; eval ${ansiQuote(body)}) < /dev/null
exit 0
`;
}

/** Returns a word of bash as GitLab Runner writes it: printable ASCII unchanged, the rest escaped. */
export function ansiQuote(text: string): string {
  const escaped = [...new TextEncoder().encode(text)].map((byte) => {
    const character = String.fromCharCode(byte);
    if (character === "\n") return "\\n";
    if (character === "'" || character === "\\") return `\\${character}`;
    return byte < 0x20 || byte > 0x7e ? `\\x${byte.toString(16).padStart(2, "0")}` : character;
  });
  return `$'${escaped.join("")}'`;
}
