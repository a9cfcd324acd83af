/** Command lines with redirected streams. */

import type { Argv } from "../host/host.ts";

/**
 * Returns a command line that runs a command with its stdout in a file, which it creates or empties.
 *
 * @param limit Bytes that the file may have; absent for no limit. A longer output ends the command with SIGXFSZ.
 */
export function toFile(file: string, argv: Argv, limit?: number): Argv {
  const command: Argv = ["sh", "-c", STDOUT_TO_FILE_SCRIPT, "sh", file, ...argv];
  return limit === undefined ? command : ["prlimit", `--fsize=${limit}`, "--", ...command];
}

/** Arguments: the file, the command. */
export const STDOUT_TO_FILE_SCRIPT = 'file=$1; shift; exec "$@" >"$file"';
