/** Runs a stage in a machine: calls the machine's stage server, relays the output, and learns how the script ended. */

import { dirname, join } from "@std/path/posix";
import { type Ending, isSuccess } from "../../ending.ts";
import { hostFailure, messageOf } from "../../failure.ts";
import type { Host, Pipe } from "../../host/host.ts";
import { endCgroup } from "../../linux/cgroups.ts";
import { MINIMAL_ENVIRONMENT } from "../../linux/nsenter.ts";
import { isAlive } from "../../linux/proc.ts";
import { until } from "../../linux/wait.ts";
import { CHANNEL, SERVER_UNIT, STAGE_CGROUP, STOP_SECONDS } from "../record/channel.ts";
import { idOf } from "../record/name.ts";
import { type EnteredMachine, questionArgv } from "./enter.ts";
import { type Output, relayOutput } from "./output.ts";
import { clearReport, KILLED, readProgress } from "./report.ts";
import type { StageRun } from "./script.ts";

/** A machine that runs. */
export interface RunningMachine extends EnteredMachine {
  /** Asks the supervisor whether the machine still runs. */
  readonly isAlive: () => Promise<boolean>;
}

/**
 * Runs a stage on our own stdout and stderr, and returns how it ended. No other process runs one in the machine.
 *
 * @param cancel When aborted, ends the script and all processes that it started; the machine keeps running.
 * @throws {Failure} `host` where the script never began.
 */
export async function runInMachine(
  host: Host,
  running: RunningMachine,
  stage: StageRun,
  cancel: AbortSignal,
): Promise<Ending> {
  if (cancel.aborted) return CANCELLED;
  await clearReport(host, stage);
  const call = await host.files.openPipe(join(stage.paths.stage, CHANNEL.call));
  const output = relayOutput(host, stage);
  const cancelling = cancelWhenAborted(host, running, call, cancel);
  try {
    await call.write(`${stage.nonce}\n`);
    const ending = await stageEnding(host, running, { stage, output, cancelling });
    return await isMachineLost(host, running, ending, cancel.aborted) ? LOST : ending;
  } finally {
    cancelling.forget();
    call.close();
    await output.release();
  }
}

/** The ending of a stage that was cancelled before it began. */
const CANCELLED: Ending = { kind: "signalled", signal: 15 };

const LOST: Ending = { kind: "lost", reason: "the machine ended while a stage ran in it" };

/** A stage that was called. */
interface Call {
  readonly stage: StageRun;
  readonly output: Output;
  readonly cancelling: Cancelling;
}

/** Milliseconds between two looks at the report; the end of the output is seen at once. */
const LOOK_INTERVAL = 250;

/** Milliseconds that a server has to begin a script: the machine may be throttled, or short of memory. */
const START_TIMEOUT = 60_000;

/** Milliseconds that a server has to report the end of a script whose processes have ended. */
const REPORT_TIMEOUT = 10_000;

/** Milliseconds without output after which a stage that has ended is done, though some process keeps its output open. */
const SILENCE = 500;

async function stageEnding(host: Host, running: RunningMachine, call: Call): Promise<Ending> {
  const { stage, output, cancelling } = call;
  const timeSince = (moment: number) => host.clock.monotonic() - moment;
  const began = host.clock.monotonic();
  for (let pause = 0;; pause = output.isOpen() ? 0 : Math.min(2 * pause || 1, LOOK_INTERVAL)) {
    await nextLook(host, output, pause);
    const progress = await readProgress(host, stage);
    if (typeof progress !== "string") {
      if (!output.isOpen() || timeSince(output.last()) > SILENCE) return progress;
      continue;
    }
    const cancelled = cancelling.done();
    if (cancelled !== null && progress === "waiting") return CANCELLED;
    if (cancelled !== null && timeSince(cancelled) > REPORT_TIMEOUT) return KILLED;
    const isSlow = progress === "waiting" || pause === LOOK_INTERVAL;
    if (isSlow && !await running.isAlive()) return LOST;
    if (progress === "waiting" && timeSince(began) > START_TIMEOUT) throw neverBegan(running);
  }
}

/** Waits for the end of the output; afterwards, for the report, or for a script that closed its output and goes on. */
async function nextLook(host: Host, output: Output, pause: number): Promise<void> {
  if (output.isOpen()) await Promise.race([output.ended, host.clock.sleep(LOOK_INTERVAL)]);
  else if (pause > 0) await host.clock.sleep(pause);
}

function neverBegan({ lease }: RunningMachine): Error {
  return hostFailure(
    `Cannot run the script in machine ${lease.machine}: the machine does not answer`,
    `See what it does: nspawn-runner list; nspawn-runner shell ${idOf(lease.machine)}`,
  );
}

/** A stage that ends when a signal is aborted. */
interface Cancelling {
  /** Returns when all processes of the stage had ended, by the monotonic clock; null before. */
  done(): number | null;
  /** Stops listening. */
  forget(): void;
}

function cancelWhenAborted(
  host: Host,
  running: RunningMachine,
  call: Pipe,
  cancel: AbortSignal,
): Cancelling {
  let ended: number | null = null;
  const onCancel = async () => {
    call.close(); // the server reads no call any more that it has not yet read
    await until(host, { interval: STOP_INTERVAL }, () => tryToEndStage(host, running));
    ended = host.clock.monotonic();
  };
  cancel.addEventListener("abort", onCancel);
  return { done: () => ended, forget: () => cancel.removeEventListener("abort", onCancel) };
}

/** Milliseconds between two attempts to end a stage. */
const STOP_INTERVAL = 50;

async function tryToEndStage(host: Host, running: RunningMachine): Promise<boolean> {
  try {
    await endStage(host, running);
    return true;
  } catch (error) {
    host.log.warn(messageOf(error));
    return !await running.isAlive();
  }
}

/**
 * Ends all processes of the stage that runs in a machine; succeeds also where none runs.
 *
 * @throws {Failure} `host` where they do not end.
 */
export function endStage(host: Host, { lease, leader }: EnteredMachine): Promise<void> {
  // The server of a booted machine is a service beside the machine's systemd, which is in init.scope.
  const server = lease.booted ? join(dirname(leader.cgroup), SERVER_UNIT) : leader.cgroup;
  return endCgroup(host, [join(server, STAGE_CGROUP)], STOP_SECONDS);
}

/**
 * Returns whether the machine ended, or shuts down, while a stage ran, so that the stage's ending says nothing about
 * the script.
 */
async function isMachineLost(
  host: Host,
  running: RunningMachine,
  ending: Ending,
  isCancelled: boolean,
): Promise<boolean> {
  if (!await running.isAlive()) return true;
  // Every code but 0 may come from a machine going down: scripts of GitLab Runner turn a signal into 1.
  if (isSuccess(ending)) return false;
  // Where PID 1 is killed, the kernel kills all other processes first: a stage ends before the machine's record does.
  if (!await isAlive(host, running.leader)) return true;
  return running.lease.booted && !isCancelled && await isShuttingDown(host, running);
}

/** Seconds that the machine's systemd has to answer. */
const ANSWER_SECONDS = 5;

/** Also true where the machine's systemd does not answer any more. */
async function isShuttingDown(host: Host, running: RunningMachine): Promise<boolean> {
  const argv = questionArgv(running, ANSWER_SECONDS, ["systemctl", "is-system-running"]);
  const { stdout } = await host.processes.capture(argv, { env: MINIMAL_ENVIRONMENT });
  return !/^(initializing|starting|running|degraded|maintenance)$/.test(stdout.trim());
}
