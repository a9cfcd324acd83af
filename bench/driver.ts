/** Runs a job by a driver of GitLab Runner's custom executor, and measures each call. */

import { denoHost } from "../src/host/deno_host.ts";
import { stageEnvironment } from "../src/gitlab/simulation.ts";
import { pause, succeed } from "./measure.ts";

/** A driver of the custom executor. */
export interface Driver {
  /** The beginning of its samples' names. */
  readonly label: string;
  /** Its command line, without the words of a stage. */
  readonly argv: readonly string[];
}

/** The script's output, which a driver must not lose. */
const GREETING = "hello from the machine";

/** A script as GitLab Runner writes it: traps, strict options, the body in a subshell without stdin. */
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

/** A job of the benchmark. */
export interface BenchJob {
  readonly id: number;
  readonly image: string;
  /** Number of run stages. */
  readonly runs: number;
}

/**
 * Runs a whole job.
 *
 * @throws {Error} where a call fails; cleanup was called nevertheless.
 */
export async function playJob(driver: Driver, job: BenchJob): Promise<JobTimes> {
  const folder = await Deno.makeTempDir({ prefix: "custom-executor" });
  const env = {
    ...await stageEnvironment(denoHost(), folder, { ...job, script: "", variables: {} }),
    ...VARIABLES,
  };
  const call = async (words: readonly string[], more: Record<string, string> = {}) => {
    await pause();
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

/** A real job has a hundred more variables, which make calls slower. */
const VARIABLES: Readonly<Record<string, string>> = Object.fromEntries(
  Array.from({ length: 100 }, (_, n) => [`CUSTOM_ENV_CI_VARIABLE_${n}`, "v".repeat(24)]),
);
