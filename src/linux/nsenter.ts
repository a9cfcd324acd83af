/** How anything of ours gets into a machine: nsenter(1), with nothing of our own environment. */

import type { Argv } from "../host/host.ts";

/** The environment of what we run in a machine; a job's own arrives in its script. */
export const PLAIN_ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  LANG: "C.UTF-8",
};

/**
 * The beginning of a command line that runs in all namespaces of a machine.
 *
 * @param leader The machine's PID 1, as a process id of the host.
 * @param options More of nsenter's.
 * @returns The words; the command follows.
 */
export function nsenterArgv(leader: number, options: readonly string[] = []): Argv {
  return ["nsenter", `--target=${leader}`, "--all", ...options, "--"];
}
