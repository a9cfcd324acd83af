/** Waiting for something that the program can only poll for. */

import type { Host } from "../host/host.ts";

/** How long and how often to ask. */
export interface WaitOptions {
  /** Longest wait, in milliseconds; default: no limit. */
  readonly timeout?: number;
  /** Milliseconds between two questions; default: 3, for a moment on a job's way. */
  readonly interval?: number;
  /** Ends the wait when aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** Longest nap, in milliseconds: for longer waits, loading the timers no longer counts. */
const MAX_NAP = 20;

/**
 * Asks until the answer is truthy, the time is over, or the signal is aborted, but at least once.
 *
 * @returns The last answer.
 */
export async function until<Answer>(
  host: Host,
  { timeout = Infinity, interval = 3, signal }: WaitOptions,
  ask: () => Promise<Answer> | Answer,
): Promise<Answer> {
  const end = host.clock.now() + timeout;
  for (;;) {
    const answer = await ask();
    if (answer || signal?.aborted || host.clock.now() >= end) return answer;
    // Nothing else happens during a nap, signals included.
    if (interval <= MAX_NAP) host.clock.nap(interval);
    else await host.clock.sleep(interval);
    if (signal?.aborted) return answer;
  }
}
