import type { Log, Terminal, Verbosity } from "./host.ts";

/**
 * Messages on stderr, so that stdout carries results alone.
 *
 * @param terminal Where they go.
 * @param color Whether warnings are coloured.
 * @returns The log, in its normal verbosity.
 */
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
