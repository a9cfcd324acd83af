/** Runs a program that a person works with, on this process's own streams. */

import type { Argv, Host } from "../host/host.ts";

/** Sent by kill(1) and by a closed terminal. Ctrl-C reaches the program by itself. */
const FORWARDED: readonly Deno.Signal[] = ["SIGTERM", "SIGHUP"];

/**
 * Runs a program in the foreground.
 *
 * @param env Its whole environment.
 * @returns Its exit code; 128 + n after a signal.
 */
export async function runInForeground(
  host: Host,
  argv: Argv,
  env: Readonly<Record<string, string>>,
): Promise<number> {
  const child = host.processes.start(argv, { env, stdin: "inherit" });
  const removals = [
    host.signals.on(FORWARDED, (signal) => child.kill(signal)),
    host.signals.on(["SIGINT"], () => {}), // it must not end this process before the program
  ];
  try {
    return (await child.ended).code;
  } finally {
    for (const remove of removals) remove();
  }
}
