/** The interface `Exec`: how a command enters a machine. With it, how a stage ends or is cancelled. */

import { type Ending, isSuccess } from "../../ending.ts";
import { messageOf } from "../../failure.ts";
import type { Child, Ended, Host } from "../../host/host.ts";
import { isAlive } from "../../linux/proc.ts";
import { until } from "../../linux/wait.ts";
import type { Leader, Lease } from "../record/lease.ts";

/** A machine that runs. */
export interface RunningMachine {
  readonly lease: Lease;
  /** Its PID 1. */
  readonly leader: Leader;
  /** Asks the supervisor whether the machine still runs. */
  readonly isAlive: () => Promise<boolean>;
}

/** One stage of a job whose script is already where the machine can read it. */
export interface StageRun {
  /** Marks the stage's own lines in the report: hexadecimal digits that nobody can guess beforehand. */
  readonly nonce: string;
  /** The command line that runs the stage in the machine; nothing in it is expanded by systemd. */
  readonly argv: readonly string[];
  /** Reads what the stage has reported so far: `NONCE started`, then `NONCE CODE`. */
  readonly report: () => Promise<string>;
}

/** One way for a command to enter a machine. */
export interface Exec {
  /**
   * Runs a stage on our own stdout and stderr, and returns how it ended.
   *
   * @param cancel When aborted, ends the stage and all processes that it started; the machine keeps running.
   * @throws {Failure} `host` where the stage never began.
   */
  run(
    host: Host,
    running: RunningMachine,
    stage: StageRun,
    cancel: AbortSignal,
  ): Promise<Ending>;
}

/**
 * Returns how a stage ended; undefined where it never began. Only its own report tells: a client may return 0 for a
 * stage that was killed.
 *
 * @param isShuttingDown Asks the machine itself, in addition to the supervisor.
 */
export async function stageEnding(
  host: Host,
  running: RunningMachine,
  stage: StageRun,
  isCancelled: boolean,
  isShuttingDown: (ending: Ending | undefined) => Promise<boolean> = () => Promise.resolve(false),
): Promise<Ending | undefined> {
  const ending = await reportedEnding(stage);
  if (await isMachineLost(host, running, ending)) {
    return { kind: "lost", reason: "the machine ended while a stage ran in it" };
  }
  if (await isShuttingDown(ending)) {
    return { kind: "lost", reason: "the machine shut down while a stage ran in it" };
  }
  return ending ?? (isCancelled ? CANCELLED : undefined);
}

/** The ending of a stage that was cancelled before it began. */
const CANCELLED: Ending = { kind: "signalled", signal: 15 };

/** Returns how a stage ended according to its own report; undefined where it never began. */
export async function reportedEnding(stage: StageRun): Promise<Ending | undefined> {
  const report = await stage.report();
  const code = report.match(new RegExp(`^${stage.nonce} (\\d{1,3})$`, "m"))?.[1];
  if (code !== undefined) return { kind: "exited", code: Number(code) };
  // It catches the signals by which scripts are ended; another one that ends it counts as SIGKILL.
  return report.includes(`${stage.nonce} started\n`)
    ? { kind: "signalled", signal: SIGKILL }
    : undefined;
}

const SIGKILL = 9;

/**
 * Returns whether the machine ended while a stage ran, so that the stage's ending says nothing about the script.
 *
 * Where PID 1 is killed, the kernel kills all other processes first: a stage ends before the machine's record does.
 */
async function isMachineLost(
  host: Host,
  running: RunningMachine,
  ending: Ending | undefined,
): Promise<boolean> {
  if (!await running.isAlive()) return true;
  // Every code but 0 may come from a machine going down: scripts of GitLab Runner turn a signal into 1.
  return !succeeded(ending) && !await isAlive(host, running.leader);
}

/** Returns whether a stage is known to have succeeded. */
export function succeeded(ending: Ending | undefined): boolean {
  return ending !== undefined && isSuccess(ending);
}

/** Seconds between SIGTERM and SIGKILL for a stage that is stopped. */
export const STOP_SECONDS = 2;

/**
 * Waits until a stage's client ends. When cancelled, stops the stage again and again until then, since a stage
 * that is about to begin cannot be stopped yet.
 *
 * @param client The process on the host that ends with the stage.
 */
export async function waitForClient(
  host: Host,
  client: Child,
  cancel: AbortSignal,
  stopStage: () => Promise<void>,
): Promise<Ended> {
  let hasEnded = false;
  let stopping: Promise<boolean> | undefined;
  const onCancel = () => {
    stopping = until(host, { interval: STOP_INTERVAL }, async () => {
      if (!hasEnded) await stopStage().catch((error) => host.log.warn(messageOf(error)));
      return hasEnded;
    });
  };
  cancel.addEventListener("abort", onCancel);
  if (cancel.aborted) onCancel();
  try {
    return await client.ended;
  } finally {
    hasEnded = true;
    cancel.removeEventListener("abort", onCancel);
    await stopping;
  }
}

/** Milliseconds between two attempts to stop a stage. */
const STOP_INTERVAL = 50;
