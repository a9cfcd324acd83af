/** Writes lines to a terminal above a few lines that change. */

import type { Terminal } from "../../host/host.ts";

/** Where a pipeline is shown. */
export interface Screen {
  /** Writes one line, without its end. */
  line(text: string): void;
  /** Replaces the lines at the bottom; none for an empty text. Does nothing where the stream is no terminal. */
  status(text: string): void;
}

/**
 * Returns what writes to stdout or stderr.
 *
 * @param animated Whether lines at the bottom are shown.
 */
export function screenOn(
  terminal: Terminal,
  stream: "stdout" | "stderr",
  animated: boolean,
): Screen {
  const write = (text: string) => {
    try {
      (stream === "stdout" ? terminal.out : terminal.err)(text);
    } catch {
      // A terminal that is closed, or a full disk, must not end the pipeline before its machines.
    }
  };
  let shown = "";
  const above = (text: string) => write(`${erase(shown)}${text}${draw(shown)}`);
  return {
    line: (text) => above(`${text}\n`),
    status(text) {
      if (!animated || text === shown) return;
      write(`${erase(shown)}${draw(text)}`);
      shown = text;
    },
  };
}

/** Without a wrap, each line takes one line of the screen however narrow it is: console_codes(4). */
const NO_WRAP = "\x1b[?7l";
const WRAP = "\x1b[?7h";
const REST_OF_SCREEN = "\x1b[J";

function draw(text: string): string {
  return text === "" ? "" : `${NO_WRAP}${text}${WRAP}`;
}

function erase(text: string): string {
  if (text === "") return "";
  return `\x1b[${text.split("\n").length - 1}A\r${REST_OF_SCREEN}`;
}
