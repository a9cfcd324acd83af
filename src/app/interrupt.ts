/** Interrupts actions on signals. */

import type { Host } from "../host/host.ts";

/** The signals of a cancelled job, of Ctrl-C and of a closed terminal. */
const INTERRUPTS: readonly Deno.Signal[] = ["SIGTERM", "SIGINT", "SIGHUP"];

/**
 * Runs an action that a signal interrupts.
 *
 * @param act Gets a signal that the first of {@linkcode INTERRUPTS} aborts.
 */
export async function interruptible<T>(
  host: Host,
  act: (interrupt: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const forget = host.signals.on(INTERRUPTS, () => controller.abort());
  try {
    return await act(controller.signal);
  } finally {
    forget();
  }
}
