/** Waiting. */

import type { Host } from "../host/host.ts";

/**
 * Waits until something holds.
 *
 * @param host The outside.
 * @param timeout Longest wait, in milliseconds.
 * @param holds What is waited for; asked again every few milliseconds.
 * @returns False when the time is over.
 */
export async function until(
  host: Host,
  timeout: number,
  holds: () => Promise<boolean>,
): Promise<boolean> {
  const end = host.clock.now() + timeout;
  while (!await holds()) {
    if (host.clock.now() >= end) return false;
    host.clock.nap(POLL);
  }
  return true;
}

/** Milliseconds between two looks. */
const POLL = 3;
