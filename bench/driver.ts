/** One job through a driver of GitLab Runner's custom-executor contract, each call timed. */

import { denoHost } from "../src/host/deno_host.ts";
import { stageEnvironment } from "../src/gitlab/simulation.ts";
import { rest, succeed } from "./measure.ts";

/** A driver. */
export interface Driver {
  /** What its samples are called. */
  readonly label: string;
  /** Words that come before those of a stage. */
  readonly argv: readonly string[];
}

/** What the script prints; a driver that lost it was not fast but wrong. */
const GREETING = "hello from the machine";

/** As GitLab Runner writes a script: traps, strict options, the body in a subshell without stdin. */
export const SCRIPT = `#!/usr/bin/env bash

trap 'exit 1' TERM

case "$(set -o)" in *"pipefail"*) set -o pipefail;; esac; set -o errexit
set +o noclobber
(trap 'exit 1' TERM; eval $'echo "${GREETING}"\\n') </dev/null
exit 0
`;

/** Times of a job's calls, in milliseconds. */
export interface JobTimes {
  readonly config: number;
  readonly prepare: number;
  readonly run: readonly number[];
  readonly cleanup: number;
}

/** What a job is to be. */
export interface BenchJob {
  readonly id: number;
  readonly image: string;
  /** How many stages run in its machine. */
  readonly runs: number;
}

/**
 * Plays a whole job.
 *
 * @param driver Who is called.
 * @param job The job.
 * @returns The times of its calls.
 * @throws {Error} where a call fails; cleanup was called all the same.
 */
export async function playJob(driver: Driver, job: BenchJob): Promise<JobTimes> {
  const folder = await Deno.makeTempDir({ prefix: "custom-executor" });
  const env = {
    ...await stageEnvironment(denoHost(), folder, { ...job, script: "", variables: {} }),
    ...VARIABLES,
  };
  const call = async (words: readonly string[], more: Record<string, string> = {}) => {
    await rest();
    return await succeed([...driver.argv, ...words], { env: { ...env, ...more }, cwd: folder });
  };
  let cleaned = false;
  try {
    const config = await call(["gitlab-config"]);
    const jobEnv = JSON.parse(config.stdout || "{}").job_env ?? {};
    const prepare = await call(["prepare"], jobEnv);
    const run: number[] = [];
    for (let stage = 0; stage < job.runs; stage++) {
      const path = await layScript(folder, stage);
      const { ms, stdout } = await call(["run", path, "build_script"], jobEnv);
      if (!stdout.includes(GREETING)) throw new Error(`${driver.label}: the output is lost`);
      run.push(ms);
    }
    cleaned = true;
    const cleanup = await call(["cleanup"], jobEnv);
    return { config: config.ms, prepare: prepare.ms, run, cleanup: cleanup.ms };
  } finally {
    if (!cleaned) await call(["cleanup"]).catch(() => {});
    await Deno.remove(folder, { recursive: true });
  }
}

async function layScript(folder: string, stage: number): Promise<string> {
  const place = `${folder}/script${stage}`;
  await Deno.mkdir(place, { mode: 0o700 });
  await Deno.writeTextFile(`${place}/script`, SCRIPT, { mode: 0o700 });
  return `${place}/script`;
}

/** A real job has a hundred variables more: the environment should weigh what it weighs there. */
const VARIABLES: Readonly<Record<string, string>> = Object.fromEntries(
  Array.from({ length: 100 }, (_, n) => [`CUSTOM_ENV_CI_VARIABLE_${n}`, "v".repeat(24)]),
);
