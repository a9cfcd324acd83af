/** The joint that answers: how does a command get into a machine? */

import type { Ending } from "../../ending.ts";
import type { Host } from "../../host/host.ts";
import type { Lease } from "../lease.ts";
import type { ProcessId } from "../process.ts";

/** A machine that runs. */
export interface Running {
  readonly lease: Lease;
  readonly leader: ProcessId;
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
export interface Entry {
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
  exec(host: Host, running: Running, stage: StageRun, cancel: AbortSignal): Promise<Ending>;
}

/** A stage that ignores SIGTERM gets SIGKILL after so many seconds. */
export const STOP_SECONDS = 2;
