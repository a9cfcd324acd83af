import type { Host } from "../host/host.ts";

/** What asks a program to end: a runner's cancel, Ctrl-C, a closed terminal. */
const INTERRUPTS: readonly Deno.Signal[] = ["SIGTERM", "SIGINT", "SIGHUP"];

/**
 * Runs something that can be given up on a signal.
 *
 * @param host The outside.
 * @param act What runs; its argument is aborted by the first signal.
 * @returns What it returns.
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
