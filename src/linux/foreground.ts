import type { Argv, Host } from "../host/host.ts";

/** What a closed terminal and a polite kill send; Ctrl-C reaches the program by itself. */
const FORWARDED: readonly Deno.Signal[] = ["SIGTERM", "SIGHUP"];

/**
 * Runs a program that a person works with, on our own streams.
 *
 * @param host The outside.
 * @param argv The program.
 * @param env Its whole environment.
 * @returns Its exit code; 128 + n after a signal.
 */
export async function attend(
  host: Host,
  argv: Argv,
  env: Readonly<Record<string, string>>,
): Promise<number> {
  const child = host.processes.start(argv, { env, stdin: "inherit" });
  const forget = [
    host.signals.on(FORWARDED, (signal) => child.kill(signal)),
    host.signals.on(["SIGINT"], () => {}), // the program's alone
  ];
  try {
    return (await child.ended).code;
  } finally {
    for (const stop of forget) stop();
  }
}
