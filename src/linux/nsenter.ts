/** Entering a machine with nsenter(1), without the environment of this process. */

import type { Argv } from "../host/host.ts";

/** The environment of programs that run in a machine. A job's variables are part of its script. */
export const MINIMAL_ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  LANG: "C.UTF-8",
};

/** How many files a process of a machine may have open: systemd's default for services. */
export const OPEN_FILES = { soft: 1024, hard: 524_288 } as const;

/**
 * Returns the beginning of a command line that runs in all namespaces of a machine; the command follows.
 *
 * @param leader The process id of the machine's PID 1 on the host.
 * @param options More options of nsenter(1).
 */
export function nsenterArgv(leader: number, options: readonly string[] = []): Argv {
  return ["nsenter", `--target=${leader}`, "--all", ...options, "--"];
}
