/** What a caller learns of a start while it goes on. */

import type { SharedParts } from "../record/plan.ts";

/** The parts of a start; `queue` is the wait for locks of other processes. */
export type StartPart = "queue" | "reserve" | "build" | "start";

/** Is called while a machine starts. */
export interface StartObserver {
  /** A part begins, and the one before it has ended. */
  readonly onPart?: (part: StartPart) => void;
  /** Its lease is written. */
  readonly onReserved?: () => void;
  /** Its storage is made: its services can start. */
  readonly onStorage?: (shared: SharedParts) => void;
  /** Its PID 1 runs: its network namespace exists. */
  readonly onLeader?: (pid: number) => void;
}
