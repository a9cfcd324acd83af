/** Simulates a person at a terminal. */

import type { Result } from "./command.ts";
import { newJob, type Site } from "./site.ts";

/** A program of sh that runs the command $1 with its output in the file $2; then in turn awaits $3 and types $4, and so on. */
export const TYPE = `command=$1 log=$2
shift 2
: >"$log"
while [ $# -gt 0 ]; do
  until grep -qaF -- "$1" "$log"; do sleep 0.1; done
  printf '%s\\n' "$2"
  shift 2
done | script --quiet --flush --return --command "$command" "$log"
code=$?
rm "$log"
exit $code`;

/**
 * Runs a shell command on a new terminal and types answers to its questions, each not before its question: the first
 * process that reads from the terminal would get it.
 *
 * @param answers Pairs of a text to wait for and a line to type then.
 * @returns The result; its stdout is the terminal's text.
 */
export function onTerminal(
  site: Site,
  command: string,
  answers: readonly (readonly [string, string])[],
): Promise<Result> {
  const log = `/run/typed-${newJob()}`;
  return site.host.exec(["sh", "-c", TYPE, "sh", command, log, ...answers.flat()]);
}
