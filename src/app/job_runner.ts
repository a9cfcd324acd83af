/** Plays GitLab Runner: calls this program for each stage of one job, and judges its exit codes. */

import { join } from "@std/path/posix";
import { type Ending, isSuccess } from "../ending.ts";
import { hostFailure } from "../failure.ts";
import { BY_HAND } from "../gitlab/exit_codes.ts";
import {
  BUILD_FAILURE,
  driverVariables,
  type RunnerJob,
  type Stage,
  stageEnvironment,
} from "../gitlab/runner_job.ts";
import type { Argv, Captured, Ended, Host } from "../host/host.ts";
import { toFile } from "../linux/redirect.ts";
import { timerTime } from "./timer.ts";

/** A job to play. */
export interface PlayedJob {
  /** The words that call this program. */
  readonly driver: Argv;
  readonly job: RunnerJob;
  /** The job's temporary folder. */
  readonly folder: string;
  readonly plan: (config: ConfigAnswer) => Promise<StagePlan>;
  /** Gets the output of all calls; null for this program's own stdout and stderr. */
  readonly onOutput: ((piece: Uint8Array) => void) | null;
  readonly onBegin?: (stage: string) => void;
  readonly onEnd?: (stage: string, code: number, ms: number) => void;
  /** Ends the job when aborted; its cleanup still runs. */
  readonly interrupt: AbortSignal;
}

/** What follows after the config stage. */
export interface StagePlan {
  /** The stages with a script, in their order. */
  readonly stages: readonly Stage[];
  /** Variables of the job that config's answer has changed. */
  readonly variables: Readonly<Record<string, string>>;
  /** More variables of the environment of `prepare`. */
  readonly prepareEnv: Readonly<Record<string, string>>;
}

/** The part of config's answer that later stages need. */
export interface ConfigAnswer {
  readonly buildsDir: string;
  readonly shell: string;
}

/** How a job ended. */
export interface PlayedEnding {
  readonly ending: Ending;
  /** Whether the stage that failed had reached its limit. */
  readonly timedOut: boolean;
}

interface Player extends PlayedJob {
  readonly host: Host;
  /** The environment of the next stage: config's answer adds to it. */
  env: Readonly<Record<string, string>>;
}

/** Plays one job, from config to cleanup. */
export async function playJob(host: Host, job: PlayedJob): Promise<PlayedEnding> {
  const env = await stageEnvironment(host, job.folder, job.job);
  const player: Player = { ...job, host, env };
  let played: PlayedEnding;
  let cleanup: Ended;
  try {
    played = await playUntilCleanup(player);
  } finally {
    // GitLab Runner calls cleanup after every job, also after one that was never prepared.
    cleanup = await callStage(player, "cleanup", ["cleanup"]);
  }
  if (job.interrupt.aborted) return plain({ kind: "signalled", signal: SIGTERM });
  return cleanup.code !== 0 && isSuccess(played.ending) ? plain(lost("cleanup failed")) : played;
}

const SIGTERM = 15;

async function playUntilCleanup(player: Player): Promise<PlayedEnding> {
  const config = await callConfig(player);
  if ("kind" in config) return plain(config);
  if (player.interrupt.aborted) return plain(lost("interrupted"));
  const { stages, variables, prepareEnv } = await player.plan(config);
  const env = { ...player.env, ...driverVariables(variables), ...config.jobEnv };
  // The machine ends with this process, as it would with GitLab Runner's.
  player.env = { ...env, ...prepareEnv, NSPAWN_RUNNER_PLAYER: `${player.host.pid()}` };
  const prepared = await callStage(player, "prepare", ["prepare"]);
  player.env = env;
  if (prepared.code !== 0) return plain(await failureOf(player, "prepare", prepared));
  return await runStages(player, stages);
}

async function callConfig(
  player: Player,
): Promise<ConfigAnswer & { readonly jobEnv: Record<string, string> } | Ending> {
  const [program, ...words] = player.driver;
  player.onBegin?.("config");
  const began = player.host.clock.now();
  const answered: Captured = await player.host.processes.capture(
    [program, ...words, "gitlab-config"],
    { env: player.env },
  );
  if (player.onOutput === null) player.host.terminal.err(answered.stderr);
  else player.onOutput(new TextEncoder().encode(answered.stderr));
  player.onEnd?.("config", answered.code, player.host.clock.now() - began);
  if (answered.code !== 0) return await failureOf(player, "config", answered);
  try {
    const { builds_dir, shell, job_env } = JSON.parse(answered.stdout);
    return { buildsDir: builds_dir, shell: shell ?? "bash", jobEnv: job_env ?? {} };
  } catch (error) {
    const answer = JSON.stringify(answered.stdout);
    throw hostFailure(
      `Cannot read the output of the config stage: ${answer}`,
      "It must be one JSON object and nothing else",
      error,
    );
  }
}

async function runStages(player: Player, stages: readonly Stage[]): Promise<PlayedEnding> {
  let played = plain({ kind: "exited", code: 0 });
  let reachedScript = false; // the user's own script
  for (const stage of stages) {
    const failed = !isSuccess(played.ending);
    if (stage.when === (failed ? "success" : "failure") || player.interrupt.aborted) continue;
    // After a failure before the user's own script GitLab Runner calls no further stage.
    if (failed && (!reachedScript || played.ending.kind === "lost")) continue;
    const script = stage.script(failed ? "failed" : reachedScript ? "success" : "running");
    if (stage.name === "build_script") reachedScript = true;
    const ended = await runScript(player, stage, script);
    await stage.onEnd?.(ended.code);
    if (ended.code === 0 || !stage.counts || failed) continue;
    played = {
      ending: await failureOf(player, stage.name, ended, stage),
      timedOut: ended.timedOut,
    };
  }
  return played;
}

/** How a stage ended. */
interface StageEnded extends Ended {
  readonly timedOut: boolean;
}

async function runScript(player: Player, stage: Stage, script: string): Promise<StageEnded> {
  const folder = join(player.folder, `script-${stage.name}`);
  await player.host.files.makeDirectory(folder);
  const path = join(folder, "script");
  await player.host.files.write(path, script, 0o700);
  return await callStage(player, stage.name, ["run", path, stage.name], stage);
}

/** Calls the driver in a process group of its own, as GitLab Runner does. */
async function callStage(
  player: Player,
  name: string,
  words: readonly string[],
  stage: Pick<Stage, "limit" | "stdout" | "stdoutLimit"> = {},
): Promise<StageEnded> {
  const { host, driver, interrupt } = player;
  player.onBegin?.(name);
  const began = host.clock.now();
  const argv: Argv = [...driver, ...words];
  const called = stage.stdout === undefined ? argv : toFile(stage.stdout, argv, stage.stdoutLimit);
  const child = host.processes.start(called, {
    env: stage.stdout === undefined ? player.env : withoutCodes(player.env),
    cwd: player.folder,
    detached: true,
    ...(player.onOutput === null ? {} : { onOutput: player.onOutput }),
  });
  let timedOut = false;
  const cancel = () => child.kill("SIGTERM");
  const forget = stage.limit === undefined ? null : host.clock.after(timerTime(stage.limit), () => {
    timedOut = true;
    cancel();
  });
  if (name !== "cleanup") interrupt.addEventListener("abort", cancel);
  const ended = await child.ended;
  interrupt.removeEventListener("abort", cancel);
  forget?.();
  player.onEnd?.(name, ended.code, host.clock.now() - began);
  return { ...ended, timedOut };
}

/** `run` keeps both streams of a script apart, and exits with its code, where GitLab Runner does not call it. */
function withoutCodes(env: Readonly<Record<string, string>>): Record<string, string> {
  const { BUILD_FAILURE_EXIT_CODE: _, ...others } = env;
  return others;
}

/** Judges a failed stage as GitLab Runner does. */
async function failureOf(
  { host, env }: Player,
  name: string,
  { code }: Ended,
  stage: Pick<Stage, "stdout"> = {},
): Promise<Ending> {
  if (stage.stdout !== undefined && code !== BY_HAND.hostFailed) return { kind: "exited", code };
  if (code !== BUILD_FAILURE) return lost(`stage ${name} failed on the host`);
  const text = await host.files.read(env["BUILD_EXIT_CODE_FILE"]!);
  if (text === null) return { kind: "exited", code: BUILD_FAILURE };
  const own = text.match(/^(\d{1,3})(?:\n|$)/)?.[1];
  return own === undefined
    ? lost(`stage ${name} left no exit code, but ${JSON.stringify(text)}`)
    : { kind: "exited", code: Number(own) };
}

function plain(ending: Ending): PlayedEnding {
  return { ending, timedOut: false };
}

function lost(reason: string): Ending {
  return { kind: "lost", reason };
}
