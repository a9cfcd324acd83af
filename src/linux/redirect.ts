/** Command lines with redirected streams. */

import type { Argv } from "../host/host.ts";

/** Returns a command line that runs a command with its stdout in a file, which it creates or empties. */
export function toFile(file: string, argv: Argv): Argv {
  return ["sh", "-c", STDOUT_TO_FILE_SCRIPT, "sh", file, ...argv];
}

/** Arguments: the file, the command. */
export const STDOUT_TO_FILE_SCRIPT = 'file=$1; shift; exec "$@" >"$file"';
