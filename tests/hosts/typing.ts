/** A person at a terminal. */

import type { Result } from "./command.ts";
import { newJob, type Site } from "./site.ts";

/** Words: what runs, where the terminal's output goes, then in turn what is waited for and what is typed then. */
const TYPE = `command=$1 log=$2
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
 * Runs a command on a terminal of its own, and types when it is asked for something: a terminal hands what
 * is typed too early to whoever reads first.
 *
 * @param site Where.
 * @param command What a shell runs.
 * @param answers What is waited for on the terminal, and what is typed then.
 * @returns How it ended; the terminal's text is its stdout.
 */
export function typing(
  site: Site,
  command: string,
  answers: readonly (readonly [string, string])[],
): Promise<Result> {
  const log = `/run/typed-${newJob()}`;
  return site.host.exec(["sh", "-c", TYPE, "sh", command, log, ...answers.flat()]);
}
