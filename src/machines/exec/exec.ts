/** The joint that answers: how does a command get into a machine? */

import { type Ending, isSuccess } from "../../ending.ts";
import { messageOf } from "../../failure.ts";
import type { Child, Ended, Host } from "../../host/host.ts";
import type { Leader, Lease } from "../record/lease.ts";
import { isAlive } from "../../linux/proc.ts";

/** A machine that runs. */
export interface RunningMachine {
  readonly lease: Lease;
  readonly leader: Leader;
  /** Whether it still runs. */
  readonly isAlive: () => Promise<boolean>;
}

/** One stage of a job, its script already laid where the machine sees it. */
export interface StageRun {
  /** Proves that what ended is this stage: unguessable before it began, and of hexadecimal digits. */
  readonly nonce: string;
  /** The words that run the stage in the machine; no data that an init might expand. */
  readonly argv: readonly string[];
  /** The stage's own report, `NONCE started` and then `NONCE CODE`, as written so far. */
  readonly report: () => Promise<string>;
}

/** One way in. */
export interface Exec {
  /**
   * Runs a stage with our own stdout and stderr.
   *
   * @param host The outside.
   * @param running The machine.
   * @param stage What runs.
   * @param cancel When aborted, the stage and all that it started is ended; the machine stays up.
   * @returns How it ended.
   * @throws {Failure} of the host where the stage never began.
   */
  run(host: Host, running: RunningMachine, stage: StageRun, cancel: AbortSignal): Promise<Ending>;
}

/**
 * What a stage's own report says of its end.
 *
 * @param stage The stage.
 * @returns Its ending; undefined where it never began.
 */
export async function reportedEnding(stage: StageRun): Promise<Ending | undefined> {
  const report = await stage.report();
  const code = report.match(new RegExp(`^${stage.nonce} (\\d{1,3})$`, "m"))?.[1];
  if (code !== undefined) return { kind: "exited", code: Number(code) };
  // Only SIGKILL ends the reporter itself: it survives every signal that can be caught.
  return report.includes(`${stage.nonce} started\n`)
    ? { kind: "signalled", signal: SIGKILL }
    : undefined;
}

const SIGKILL = 9;

/**
 * Whether a machine went away under a stage. The kernel kills all others before a killed PID 1 is
 * gone, so that such a stage ends before anybody's record of the machine does.
 *
 * @param host The outside.
 * @param running The machine.
 * @param ending How the stage ended, where it is known.
 * @returns True when the ending says nothing about the script.
 */
export async function isMachineLost(
  host: Host,
  running: RunningMachine,
  ending: Ending | undefined,
): Promise<boolean> {
  if (!await running.isAlive()) return true;
  // Any other code may be that of a machine going down: scripts of GitLab Runner make 1 of a signal.
  return !succeeded(ending) && !await isAlive(host, running.leader);
}

/**
 * Whether a stage is known to have ended well.
 *
 * @param ending How it ended, where it is known.
 * @returns True for code 0.
 */
export function succeeded(ending: Ending | undefined): boolean {
  return ending !== undefined && isSuccess(ending);
}

/** A stage that ignores SIGTERM gets SIGKILL after so many seconds. */
export const STOP_SECONDS = 2;

/**
 * Waits for a stage's client, and ends the stage when it is cancelled: as often as that takes, since a
 * stage that only begins is not there yet to be ended.
 *
 * @param host The outside.
 * @param client What ends with the stage.
 * @param cancel Ends the stage when aborted.
 * @param stopStage Ends what there is of the stage.
 * @returns How the client ended.
 */
export async function waitForClient(
  host: Host,
  client: Child,
  cancel: AbortSignal,
  stopStage: () => Promise<void>,
): Promise<Ended> {
  let hasEnded = false;
  let ending: Promise<void> | undefined;
  const endIt = async () => {
    while (!hasEnded) {
      await stopStage().catch((error) => host.log.warn(messageOf(error)));
      if (!hasEnded) await host.clock.sleep(STOP_INTERVAL);
    }
  };
  const onCancel = () => void (ending = endIt());
  cancel.addEventListener("abort", onCancel);
  if (cancel.aborted) onCancel();
  try {
    return await client.ended;
  } finally {
    hasEnded = true;
    cancel.removeEventListener("abort", onCancel);
    await ending;
  }
}

/** Milliseconds between two tries to end a stage. */
const STOP_INTERVAL = 50;

/** How a stage ended that was cancelled before it began. */
export const CANCELLED: Ending = { kind: "signalled", signal: 15 };
