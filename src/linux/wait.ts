/** Waiting by polling. */

import type { Host } from "../host/host.ts";

/** How long and how often to ask. */
export interface WaitOptions {
  /** Longest wait, in milliseconds; default: no limit. */
  readonly timeout?: number;
  /** Milliseconds between two calls of `ask`; default: 3, short enough for a job that waits. */
  readonly interval?: number;
  /** Ends the wait when aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** Up to this interval the wait blocks the process, in milliseconds: setTimeout() would first load its timers. */
const MAX_NAP = 20;

/**
 * Calls `ask` until its answer is truthy, the time is over, or the signal is aborted, but at least once.
 *
 * @returns The last answer.
 */
export async function until<Answer>(
  host: Host,
  { timeout = Infinity, interval = 3, signal }: WaitOptions,
  ask: () => Promise<Answer> | Answer,
): Promise<Answer> {
  const end = host.clock.monotonic() + timeout;
  for (;;) {
    const answer = await ask();
    if (answer || signal?.aborted || host.clock.monotonic() >= end) return answer;
    if (interval <= MAX_NAP) await host.clock.nap(interval);
    else await host.clock.sleep(interval);
    if (signal?.aborted) return answer;
  }
}
