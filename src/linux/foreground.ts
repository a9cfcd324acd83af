/** Runs a program that a person works with, on this process's own streams. */

import type { Argv, Host } from "../host/host.ts";

/** Sent by kill(1) and by a closed terminal. Ctrl-C reaches the program by itself. */
const FORWARDED: readonly Deno.Signal[] = ["SIGTERM", "SIGHUP"];

/**
 * Runs a program in the foreground.
 *
 * @param env Its whole environment.
 * @param ownTerminal Whether it gives what it runs a terminal of its own. Else it runs in a session of its own, and its
 *   output is passed on: what runs in a machine could type into this program's terminal.
 * @returns Its exit code; 128 + n after a signal.
 */
export async function runInForeground(
  host: Host,
  argv: Argv,
  env: Readonly<Record<string, string>>,
  ownTerminal: boolean,
): Promise<number> {
  const apart = ownTerminal ? {} : { detached: true, relay: true };
  const child = host.processes.start(argv, { env, stdin: "inherit", ...apart });
  const removals = [
    host.signals.on(FORWARDED, (signal) => child.kill(signal)),
    // It must not end this process before the program, which does not get it in a session of its own.
    host.signals.on(["SIGINT"], () => {
      if (!ownTerminal) host.processes.signal(-child.pid, "SIGINT");
    }),
  ];
  try {
    return (await child.ended).code;
  } finally {
    for (const remove of removals) remove();
  }
}
