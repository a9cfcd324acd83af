/** Waits for the end of a stage that was called: by its report, its output, and what becomes of the machine. */

import type { Ending } from "../../ending.ts";
import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { pause } from "../../linux/wait.ts";
import { idOf } from "../record/name.ts";
import type { Cancelling } from "./cancel.ts";
import type { EnteredMachine } from "./enter.ts";
import type { Output } from "./output.ts";
import { KILLED, readProgress } from "./report.ts";
import type { StageRun } from "./script.ts";

/** A machine that runs. */
export interface RunningMachine extends EnteredMachine {
  /** Asks the supervisor whether the machine still runs. */
  readonly isAlive: () => Promise<boolean>;
}

/** A stage that was called. */
export interface CalledStage {
  readonly stage: StageRun;
  readonly output: Output;
  readonly cancelling: Cancelling;
  /** Called when the script was found to have begun. */
  readonly onBegun: (() => void) | undefined;
}

/** The ending of a stage that was cancelled before it began. */
export const CANCELLED: Ending = { kind: "signalled", signal: 15 };

/** The ending of a stage whose machine has ended. */
export const LOST: Ending = { kind: "lost", reason: "the machine ended while a stage ran in it" };

/** Shortest pause between two looks at the report, in milliseconds: a server needs about as long to begin a script. */
const SHORTEST_PAUSE = 0.5;

/** Longest pause between two looks at the report, in milliseconds; the end of the output is seen at once. */
const LOOK_INTERVAL = 250;

/** Milliseconds that a server has to begin a script: the machine may be throttled, or short of memory. */
const START_TIMEOUT = 60_000;

/** Milliseconds that a server has to report the end of a script whose processes were told to end. */
const REPORT_TIMEOUT = 10_000;

/** Milliseconds after which a script whose report the job has erased, and whose output has ended, counts as killed. */
const ERASED_TIMEOUT = 2_000;

/** Milliseconds without output after which nobody waits for the rest of the output of a stage that has ended. */
const SILENCE = 500;

/** Longest wait for that rest, in milliseconds. */
const MAX_REST = 30_000;

/**
 * Waits for the end of a stage.
 *
 * @throws {Failure} `host` where its script does not begin.
 */
export async function stageEnding(
  host: Host,
  running: RunningMachine,
  { stage, output, cancelling, onBegun }: CalledStage,
): Promise<Ending> {
  const since = firstTimes(host);
  let hasBegun = false;
  for (let next = SHORTEST_PAUSE;;) {
    const sinceTerm = cancelling.sinceTerm(); // before the look: what has not begun by then never does
    const progress = await readProgress(host, stage);
    if (!hasBegun && progress !== "waiting") {
      hasBegun = true;
      onBegun?.();
      output.letEnd();
    }
    if (typeof progress !== "string") {
      if (isComplete(output, since("ended"))) return progress;
    } else if (!hasBegun) {
      if (sinceTerm !== null) return CANCELLED;
      if (since("called") > START_TIMEOUT) throw neverBegan(running);
    } else {
      if ((sinceTerm ?? 0) > REPORT_TIMEOUT) return KILLED;
      const isErased = progress === "waiting" && !output.isOpen();
      if (isErased && since("erased") > ERASED_TIMEOUT) return KILLED;
    }
    if (hasBegun && output.isOpen()) {
      await Promise.race([output.ended, host.clock.sleep(LOOK_INTERVAL)]);
      next = SHORTEST_PAUSE; // then the report comes in a moment, or the script goes on without its output
    } else {
      if (next === LOOK_INTERVAL && !await running.isAlive()) return LOST;
      await pause(host, next);
      next = Math.min(2 * next, LOOK_INTERVAL);
    }
  }
}

/** Returns a function that gives the milliseconds since it was first called with the same word. */
function firstTimes(host: Host): (event: string) => number {
  const times = new Map<string, number>();
  return (event) => {
    const now = host.clock.monotonic();
    const first = times.get(event) ?? now;
    times.set(event, first);
    return now - first;
  };
}

/**
 * Returns whether nobody waits for more output of a stage that has ended: a process that it asked for elsewhere, such as
 * a service, may keep the output open, and even print for ever.
 */
function isComplete(output: Output, sinceEnded: number): boolean {
  const silence = Math.min(output.silence(), sinceEnded);
  return !output.isOpen() || silence > SILENCE || sinceEnded > MAX_REST;
}

function neverBegan({ lease }: RunningMachine): Error {
  return hostFailure(
    `Cannot run the script in machine ${lease.machine}: the machine does not answer`,
    `See what it does: nspawn-runner list; nspawn-runner shell ${idOf(lease.machine)}`,
  );
}
