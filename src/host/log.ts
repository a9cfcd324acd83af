/** Messages for the user. */

import type { Log, Terminal, Verbosity } from "./host.ts";

/** Returns a log that writes to stderr, with normal verbosity; stdout is for results. */
export function terminalLog(terminal: Terminal, color: boolean): Log {
  const log: Log = {
    verbosity: "normal" as Verbosity,
    info: (message) => terminal.err(`${message}\n`),
    warn: (message) => terminal.err(color ? `\x1b[33m${message}\x1b[0m\n` : `${message}\n`),
    step: (message) => {
      if (log.verbosity !== "normal") terminal.err(`${message}\n`);
    },
    debug: (message) => {
      if (log.verbosity === "debug") terminal.err(`+ ${message}\n`);
    },
  };
  return log;
}
