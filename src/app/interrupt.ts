/** Interrupts actions on signals. */

import type { Host } from "../host/host.ts";

/** The signals of a cancelled job, of Ctrl-C and of a closed terminal. */
const INTERRUPTS: readonly Deno.Signal[] = ["SIGTERM", "SIGINT", "SIGHUP"];

/**
 * Runs an action that a signal interrupts.
 *
 * @param act Gets a signal that the first of {@linkcode INTERRUPTS} aborts.
 */
export function interruptible<T>(
  host: Host,
  act: (interrupt: AbortSignal) => Promise<T>,
): Promise<T> {
  return interruptibleTwice(host, act);
}

/**
 * Runs an action that Ctrl-C interrupts in part, and a second Ctrl-C wholly, as all other {@linkcode INTERRUPTS} do at once.
 *
 * @param act Gets what the first of these signals aborts, and what interrupts the action wholly.
 */
export async function interruptibleTwice<T>(
  host: Host,
  act: (first: AbortSignal, second: AbortSignal) => Promise<T>,
): Promise<T> {
  const [first, second] = [new AbortController(), new AbortController()];
  const forget = host.signals.on(INTERRUPTS, (signal) => {
    if (first.signal.aborted || signal !== "SIGINT") second.abort();
    first.abort();
  });
  try {
    return await act(first.signal, second.signal);
  } finally {
    forget();
  }
}
