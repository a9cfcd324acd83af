/** Runs a stage in a machine: calls the machine's stage server, relays the output, and learns how the script ended. */

import { dirname, join } from "@std/path/posix";
import { type Ending, isSuccess } from "../../ending.ts";
import { hostFailure, messageOf } from "../../failure.ts";
import type { Host, Pipe } from "../../host/host.ts";
import { signalCgroup } from "../../linux/cgroups.ts";
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
  await clearReport(host, stage);
  const pipe = await host.files.openPipe(join(stage.paths.stage, CHANNEL.call));
  const output = await relayOutput(host, stage);
  const cancelling = cancelWhenAborted(host, running, pipe, cancel);
  try {
    if (cancel.aborted) return CANCELLED;
    // A job could fill the pipe: whether the call was read, the report tells.
    pipe.write(`${stage.nonce}\n`).catch(() => {});
    const ending = await stageEnding(host, running, { stage, output, cancelling });
    return await isMachineLost(host, running, ending, cancel.aborted) ? LOST : ending;
  } finally {
    await cancelling.settle();
    pipe.close();
    output.letEnd();
  }
}

/** The ending of a stage that was cancelled before it began. */
const CANCELLED: Ending = { kind: "signalled", signal: 15 };

const LOST: Ending = { kind: "lost", reason: "the machine ended while a stage ran in it" };

/** A stage that was called. */
interface CalledStage {
  readonly stage: StageRun;
  readonly output: Output;
  readonly cancelling: Cancelling;
}

/** Milliseconds between two looks at the report; the end of the output is seen at once. */
const LOOK_INTERVAL = 250;

/** Milliseconds that a server has to begin a script: the machine may be throttled, or short of memory. */
const START_TIMEOUT = 60_000;

/** Milliseconds that a server has to report the end of a script whose processes were killed. */
const REPORT_TIMEOUT = 10_000;

/** Milliseconds after which a script whose report the job has erased, and whose output has ended, counts as killed. */
const ERASED_TIMEOUT = 2_000;

/**
 * A process that the stage asked for elsewhere, such as a service, may keep the output open when the stage has ended:
 * milliseconds without output after which nobody waits for it, and in any case.
 */
const SILENCE = 500;
const MAX_REST = 30_000;

async function stageEnding(
  host: Host,
  running: RunningMachine,
  called: CalledStage,
): Promise<Ending> {
  const { stage, output, cancelling } = called;
  const timeSince = (moment: number) => host.clock.monotonic() - moment;
  const began = host.clock.monotonic();
  let hasBegun = false;
  let ended: number | null = null;
  let erased: number | null = null;
  for (let pause = 1;; pause = Math.min(2 * pause, LOOK_INTERVAL)) {
    const killed = cancelling.ended();
    const progress = await readProgress(host, stage);
    if (progress !== "waiting" && !hasBegun) {
      hasBegun = true;
      output.letEnd();
      pause = LOOK_INTERVAL;
    }
    if (typeof progress !== "string") {
      ended ??= host.clock.monotonic();
      const rest = timeSince(Math.max(output.lastOutput(), ended));
      if (!output.isOpen() || rest > SILENCE || timeSince(ended) > MAX_REST) return progress;
    } else {
      if (hasBegun && progress === "waiting" && !output.isOpen()) {
        erased ??= host.clock.monotonic();
        if (timeSince(erased) > ERASED_TIMEOUT) return KILLED;
      }
      if (killed !== null && !hasBegun) return CANCELLED;
      if (killed !== null && timeSince(killed) > REPORT_TIMEOUT) return KILLED;
      const mayBeLost = pause === LOOK_INTERVAL && !(hasBegun && output.isOpen());
      if (mayBeLost && !await running.isAlive()) return LOST;
      if (!hasBegun && timeSince(began) > START_TIMEOUT) throw neverBegan(running);
    }
    const wasOpen = output.isOpen();
    await Promise.race([host.clock.sleep(pause), ...(hasBegun && wasOpen ? [output.ended] : [])]);
    // Either the report comes in a moment, or the script has closed its output and goes on.
    if (wasOpen && !output.isOpen()) pause = 1;
  }
}

function neverBegan({ lease }: RunningMachine): Error {
  return hostFailure(
    `Cannot run the script in machine ${lease.machine}: the machine does not answer`,
    `See what it does: nspawn-runner list; nspawn-runner shell ${idOf(lease.machine)}`,
  );
}

/** A stage that has to end when a signal is aborted. */
interface Cancelling {
  /** Returns when the processes of the stage were told to end the last time, by the monotonic clock; null before. */
  ended(): number | null;
  /** Stops listening, and waits until no signal is sent any more. */
  settle(): Promise<void>;
}

/**
 * Ends a stage when a signal is aborted: SIGTERM, and SIGKILL where it goes on for {@linkcode STOP_SECONDS}. Waits for no
 * process, and removes no cgroup: the server puts the process that waits for the next script there.
 */
function cancelWhenAborted(
  host: Host,
  running: RunningMachine,
  pipe: Pipe,
  cancel: AbortSignal,
): Cancelling {
  let ended: number | null = null;
  let isSettled = false;
  let ending = Promise.resolve();
  const end = async () => {
    pipe.close(); // a server that has not read the call does not begin any more
    await signalStage(host, running, "TERM");
    ended = host.clock.monotonic();
    const isOver = () => isSettled || host.clock.monotonic() - ended! > STOP_SECONDS * 1000;
    await until(host, { interval: STOP_INTERVAL }, isOver);
    if (!isSettled) await signalStage(host, running, "KILL");
  };
  const onCancel = () => {
    ending = end().catch((error) => host.log.warn(messageOf(error)));
  };
  cancel.addEventListener("abort", onCancel);
  return {
    ended: () => ended,
    async settle() {
      isSettled = true;
      cancel.removeEventListener("abort", onCancel);
      await ending;
    },
  };
}

/** Milliseconds between two looks whether a cancelled stage has ended; long enough to be no nap. */
const STOP_INTERVAL = 50;

/** Kills all processes of a stage whose call was killed. */
export function killStage(host: Host, machine: EnteredMachine): Promise<void> {
  return signalStage(host, machine, "KILL");
}

function signalStage(
  host: Host,
  { lease, leader }: EnteredMachine,
  signal: "TERM" | "KILL",
): Promise<void> {
  // The server of a booted machine is a service beside the machine's systemd, which is in init.scope.
  const server = lease.booted ? join(dirname(leader.cgroup), SERVER_UNIT) : leader.cgroup;
  return signalCgroup(host, join(server, STAGE_CGROUP), signal);
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
