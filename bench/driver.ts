/** A job, call by call, whatever runs it. */

/** Whether systemd is PID 1 of the machine. */
export type Kind = "booted" | "plain";

/** The calls of a job, in order; `run` comes once for each stage. */
export const CALLS = ["config", "prepare", "run", "cleanup"] as const;
export type Call = typeof CALLS[number];

/** The stages of a small job without a repository. */
export const STAGES = [
  "prepare_script",
  "get_sources",
  "build_script",
  "cleanup_file_variables",
] as const;
export type Stage = typeof STAGES[number];

/** One job. Each call returns its milliseconds; cleanup may follow a call that failed. */
export interface Job {
  config?(): Promise<number>;
  prepare(): Promise<number>;
  run(stage: Stage): Promise<number>;
  cleanup(): Promise<number>;
}

/** What runs jobs: a program of GitLab Runner's contract, Docker, or commands by hand. */
export interface Driver {
  /** The group of its samples. */
  readonly label: string;
  /** Null where it has its own configuration. */
  readonly kind: Kind | null;
  /** A program that it calls where GitLab Runner calls none, and how often in a job. */
  readonly client?: { readonly argv: readonly string[]; readonly calls: number };
  open(id: number): Promise<Job>;
}

/** Receives each call of a job, and makes it. */
export type Measure = (call: Call, act: () => Promise<number>) => Promise<unknown>;

let id = Date.now() * 100;

/**
 * Plays a whole job.
 *
 * @throws {Error} where a call fails; cleanup was called nevertheless.
 */
export async function playJob(driver: Driver, measure: Measure): Promise<void> {
  const job = await driver.open(++id);
  try {
    if (job.config !== undefined) await measure("config", job.config);
    await measure("prepare", job.prepare);
    for (const stage of STAGES) await measure("run", () => job.run(stage));
  } catch (error) {
    await job.cleanup().catch(() => {});
    throw error;
  }
  await measure("cleanup", job.cleanup);
}

/** Opens a job that the caller ends by its cleanup, and calls it up to prepare. */
export async function startJob(driver: Driver): Promise<[Job, number]> {
  const job = await driver.open(++id);
  await job.config?.();
  return [job, await job.prepare()];
}

/** The variables of a job that nobody needs. */
export const VARIABLES: Readonly<Record<string, string>> = Object.fromEntries(
  Array.from({ length: 100 }, (_, n) => [`CI_VARIABLE_${n}`, "v".repeat(24)]),
);

const GREETING = "hello from the machine";

const EXPORTS = Object.entries(VARIABLES).map(([name, value]) => `export ${name}=${value}`);

/** A script as GitLab Runner writes it: all variables, traps, strict options, the body in a subshell without stdin. */
export const SCRIPT = `#!/usr/bin/env bash

trap 'exit 1' TERM

case "$(set -o)" in *"pipefail"*) set -o pipefail;; esac; set -o errexit
set +o noclobber
(trap 'exit 1' TERM; eval $'${EXPORTS.join("\\n")}\\necho "${GREETING}"\\n') </dev/null
exit 0
`;

/** @throws {Error} where the output of the script is lost. */
export function checkOutput(label: string, stdout: string): void {
  if (!stdout.includes(GREETING)) throw new Error(`${label}: the output is lost`);
}
