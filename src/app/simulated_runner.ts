/** Simulates GitLab Runner: calls this program for each stage of one job, and judges its exit codes. */

import { join } from "@std/path/posix";
import { type Ending, isSuccess } from "../ending.ts";
import { hostFailure } from "../failure.ts";
import {
  BUILD_FAILURE,
  type SimulatedJob,
  simulatedStages,
  type Stage,
  stageEnvironment,
} from "../gitlab/simulation.ts";
import type { Argv, Captured, Ended, Host } from "../host/host.ts";

/** A simulated GitLab Runner with one job. */
interface Runner {
  readonly host: Host;
  /** The words that call this program. */
  readonly driver: Argv;
  readonly folder: string;
  /** The environment of the next stage: config's answer adds to it. */
  env: Readonly<Record<string, string>>;
  readonly interrupt: AbortSignal;
}

/**
 * Simulates one job, from config to cleanup.
 *
 * @param driver The words that call this program; a command follows.
 * @param interrupt Cancels the job when aborted; its cleanup still runs.
 * @returns How the job ended.
 */
export async function simulateJob(
  host: Host,
  driver: Argv,
  job: SimulatedJob,
  interrupt: AbortSignal,
): Promise<Ending> {
  const folder = await host.files.temporaryDirectory("custom-executor");
  try {
    const env = await stageEnvironment(host, folder, job);
    const runner = { host, driver, folder, env, interrupt };
    let ending: Ending;
    let cleanup: Ended;
    try {
      ending = await runJob(runner, job);
    } finally {
      // GitLab Runner calls cleanup after every job, also after one that was never prepared.
      cleanup = await callStage(runner, "cleanup", ["cleanup"]);
    }
    if (interrupt.aborted) return { kind: "signalled", signal: SIGTERM };
    return cleanup.code !== 0 && isSuccess(ending) ? lost("cleanup failed") : ending;
  } finally {
    await host.files.removeTree(folder);
  }
}

const SIGTERM = 15;

async function runJob(runner: Runner, job: SimulatedJob): Promise<Ending> {
  const config = await callConfig(runner);
  if ("kind" in config) return config;
  if (runner.interrupt.aborted) return lost("interrupted");
  runner.env = { ...runner.env, ...config.jobEnv };
  const prepared = await callStage(runner, "prepare", ["prepare"]);
  if (prepared.code !== 0) return await failureOf(runner, "prepare", prepared);
  return await runStages(runner, simulatedStages(job, config.buildsDir));
}

/** The part of config's answer that later stages need. */
interface ConfigAnswer {
  readonly buildsDir: string;
  readonly jobEnv: Record<string, string>;
}

async function callConfig(runner: Runner): Promise<ConfigAnswer | Ending> {
  const [program, ...words] = runner.driver;
  const began = logBegin(runner, "config");
  const answered: Captured = await runner.host.processes.capture(
    [program, ...words, "gitlab-config"],
    { env: runner.env },
  );
  runner.host.terminal.err(answered.stderr);
  logEnd(runner, "config", answered, began);
  if (answered.code !== 0) return await failureOf(runner, "config", answered);
  try {
    const answer = JSON.parse(answered.stdout);
    return { buildsDir: answer.builds_dir, jobEnv: answer.job_env ?? {} };
  } catch (error) {
    const answer = JSON.stringify(answered.stdout);
    throw hostFailure(
      `Cannot read the output of the config stage: ${answer}`,
      "It must be one JSON object and nothing else",
      error,
    );
  }
}

async function runStages(runner: Runner, stages: readonly Stage[]): Promise<Ending> {
  let ending: Ending = { kind: "exited", code: 0 };
  let reachedScript = false; // the user's own script
  for (const stage of stages) {
    const failed = !isSuccess(ending);
    if (stage.when === (failed ? "success" : "failure") || runner.interrupt.aborted) continue;
    // After a failure before the user's own script GitLab Runner calls no further stage.
    if (failed && (!reachedScript || ending.kind === "lost")) continue;
    if (stage.name === "build_script") reachedScript = true;
    const ended = await runScript(runner, stage);
    if (ended.code === 0 || !stage.counts || failed) continue;
    ending = await failureOf(runner, stage.name, ended);
  }
  return ending;
}

async function runScript(runner: Runner, stage: Stage): Promise<Ended> {
  const folder = join(runner.folder, `script-${stage.name}`);
  await runner.host.files.makeDirectory(folder);
  const path = join(folder, "script");
  await runner.host.files.write(path, stage.script, 0o700);
  return await callStage(runner, stage.name, ["run", path, stage.name]);
}

/** Calls the driver in a process group of its own, as GitLab Runner does. */
async function callStage(
  runner: Runner,
  stage: string,
  words: readonly string[],
): Promise<Ended> {
  const began = logBegin(runner, stage);
  const child = runner.host.processes.start([...runner.driver, ...words], {
    env: runner.env,
    cwd: runner.folder,
    detached: true,
  });
  const cancel = () => child.kill("SIGTERM");
  if (stage !== "cleanup") runner.interrupt.addEventListener("abort", cancel);
  const ended = await child.ended;
  runner.interrupt.removeEventListener("abort", cancel);
  logEnd(runner, stage, ended, began);
  return ended;
}

function logBegin({ host }: Runner, stage: string): number {
  host.log.info(`simulate: ${stage} begins`);
  return host.clock.now();
}

function logEnd({ host }: Runner, stage: string, { code }: Ended, began: number): void {
  const seconds = ((host.clock.now() - began) / 1000).toFixed(2);
  host.log.info(`simulate: ${stage} ended with ${code} after ${seconds} s`);
}

/** Judges a failed stage as GitLab Runner does. */
async function failureOf(runner: Runner, stage: string, { code }: Ended): Promise<Ending> {
  if (code !== BUILD_FAILURE) return lost(`stage ${stage} failed on the host`);
  const text = await runner.host.files.read(runner.env["BUILD_EXIT_CODE_FILE"]!);
  if (text === null) return { kind: "exited", code: BUILD_FAILURE };
  const own = text.match(/^(\d{1,3})(?:\n|$)/)?.[1];
  return own === undefined
    ? lost(`stage ${stage} left no exit code, but ${JSON.stringify(text)}`)
    : { kind: "exited", code: Number(own) };
}

function lost(reason: string): Ending {
  return { kind: "lost", reason };
}
