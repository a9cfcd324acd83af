/** Messages for the user. */

import { printable } from "../text/printable.ts";
import type { Log, Terminal, Verbosity } from "./host.ts";

/**
 * Returns a log that writes to stderr, with normal verbosity; stdout is for results. Messages may quote what jobs and
 * images wrote, which must not control a terminal.
 */
export function terminalLog(terminal: Pick<Terminal, "err" | "is">, color: boolean): Log {
  const shown = terminal.is("stderr") ? printable : (text: string) => text;
  const log: Log = {
    verbosity: "normal" as Verbosity,
    info: (message) => terminal.err(`${shown(message)}\n`),
    warn: (message) =>
      terminal.err(color ? `\x1b[33m${shown(message)}\x1b[0m\n` : `${shown(message)}\n`),
    step: (message) => {
      if (log.verbosity !== "normal") terminal.err(`${shown(message)}\n`);
    },
    debug: (message) => {
      if (log.verbosity === "debug") terminal.err(`+ ${shown(message)}\n`);
    },
  };
  return log;
}
