/** Writes lines of the scripts of a job as GitLab Runner's writer for shells does: shells/bash.go. */

import { join } from "@std/path/posix";
import { quote } from "../../text/quote.ts";
import { ENV_FILE, type JobVariables } from "./variables.ts";

const GREEN = "\x1b[32;1m";
const YELLOW = "\x1b[0;33m";
const RESET = "\x1b[0;m";

/** Returns a line of the job's output in green. */
export function notice(text: string): string {
  return `${GREEN}${text}${RESET}`;
}

/** Returns a line of the job's output in yellow. */
export function warning(text: string): string {
  return `${YELLOW}${text}${RESET}`;
}

/** Returns a command that prints a line. */
export function print(line: string): string {
  return `printf '%s\\n' ${quote(line)}`;
}

/** Returns commands that print each command before it runs, and end at the first that fails. */
export function commandLines(commands: readonly string[]): string[] {
  return commands.map((command) => command.trim()).flatMap((command) => {
    if (command === "") return ["echo"];
    const [first = "", ...rest] = command.split("\n");
    const shown = rest.length === 0 ? first : `${first} # collapsed multi-line command`;
    return [print(notice(`$ ${shown}`)), command];
  });
}

/** Returns commands that export the variables of a job and those that earlier stages left. */
export function exportLines(variables: JobVariables, status: string): string[] {
  const { temporary, all } = variables;
  const folder = quote(temporary);
  const left = quote(join(temporary, ENV_FILE));
  return [
    `mkdir -p ${folder}`,
    ...all.flatMap(({ key, value, file }) => {
      if (key === "CI_JOB_STATUS") return [`export ${key}=${quote(status)}`];
      if (!file) return [`export ${key}=${quote(value)}`];
      const path = quote(join(temporary, key));
      return [`printf '%s' ${quote(value)} >${path}`, `export ${key}=${path}`];
    }),
    `touch ${left}`,
    `while read -r line; do export "$line"; done <${left}`,
  ];
}

/** Returns the commands that remove what the stages of a job had beside the project. */
export function cleanupLines({ temporary, all }: JobVariables): string[] {
  const files = all.filter(({ file }) => file).map(({ key }) => key);
  return [ENV_FILE, ...files].map((name) => `rm -f ${quote(join(temporary, name))}`);
}
