/** Runs a stage in a machine: calls the machine's stage server, relays the output, and learns how the script ended. */

import { join } from "@std/path/posix";
import { type Ending, isSuccess } from "../../ending.ts";
import type { Host } from "../../host/host.ts";
import { MINIMAL_ENVIRONMENT } from "../../linux/nsenter.ts";
import { isAlive } from "../../linux/proc.ts";
import { CHANNEL } from "../record/channel.ts";
import { cancelWhenAborted } from "./cancel.ts";
import { relayOutput } from "./output.ts";
import { clearReport } from "./report.ts";
import type { StageRun } from "./script.ts";
import { CANCELLED, LOST, type RunningMachine, stageEnding } from "./stage_ending.ts";

/**
 * Runs a stage on our own stdout and stderr, and returns how it ended. No other process runs one in the machine.
 *
 * @param cancel When aborted, ends the script and all processes that it started; the machine keeps running.
 * @param onBegun Called when the script was found to have begun.
 * @throws {Failure} `host` where the script never began.
 */
export async function runInMachine(
  host: Host,
  running: RunningMachine,
  stage: StageRun,
  cancel: AbortSignal,
  onBegun?: () => void,
): Promise<Ending> {
  await clearReport(host, stage);
  const call = await host.files.openPipe(join(stage.paths.stage, CHANNEL.call));
  const output = await relayOutput(host, stage);
  const cancelling = cancelWhenAborted(host, running, call, cancel);
  try {
    if (cancel.aborted) return CANCELLED;
    // Not awaited, since a job could fill the pipe; the report tells whether the server has read it.
    call.write(`${stage.nonce}\n`).catch(() => {});
    const ending = await stageEnding(host, running, { stage, output, cancelling, onBegun });
    return await isMachineLost(host, running, ending, cancel.aborted) ? LOST : ending;
  } finally {
    await cancelling.settle();
    call.close();
    output.letEnd();
  }
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

/** Also true where the machine's systemd does not answer any more. */
async function isShuttingDown(host: Host, running: RunningMachine): Promise<boolean> {
  const { ANSWER_SECONDS, questionArgv } = await import("./enter.ts");
  const argv = questionArgv(running, ANSWER_SECONDS, ["systemctl", "is-system-running"]);
  const { stdout } = await host.processes.capture(argv, { env: MINIMAL_ENVIRONMENT });
  return !/^(initializing|starting|running|degraded|maintenance)$/.test(stdout.trim());
}
