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

/** The longest pause that blocks the process, in milliseconds: timers load first, and are late by a millisecond. */
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
    await pause(host, interval);
    if (signal?.aborted) return answer;
  }
}

/** Waits between two looks, in milliseconds. A short pause blocks the process. */
export function pause(host: Host, ms: number): Promise<void> {
  return ms <= MAX_NAP ? host.clock.nap(ms) : host.clock.sleep(ms);
}
