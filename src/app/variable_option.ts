/** Variables of jobs on the command line. */

import { refused, usageError } from "../failure.ts";

/**
 * Returns the variable of a `--variable NAME=VALUE`.
 *
 * @throws {Failure} where the word has another form, or is too long for a job.
 */
export function parseVariable(word: string): [name: string, value: string] {
  const variable = variableOf(word);
  if (variable !== null) return checkedLength(variable);
  throw usageError(
    `Cannot use --variable ${JSON.stringify(word)}: it is not of the form NAME=VALUE`,
    "Example: --variable MODE=fast",
  );
}

/**
 * Returns the variables of a text with a line `NAME=VALUE` for each; empty lines and those that begin with # do not count.
 *
 * @param path The file, for messages.
 * @throws {Failure} `refused` where a line has another form. Its message does not quote the line, which may have a secret.
 */
export function parseVariables(text: string, path: string): Record<string, string> {
  const lines = text.split(/\r?\n/).map((line, index) => ({ line, number: index + 1 }))
    .filter(({ line }) => !/^\s*(?:#|$)/.test(line));
  return Object.fromEntries(lines.map(({ line, number }) => {
    const variable = variableOf(line);
    if (variable !== null) return checkedLength(variable);
    throw refused(
      `Cannot read variables of ${path}: line ${number} is not of the form NAME=VALUE`,
      "Write a variable per line, without export and without spaces before =",
    );
  }));
}

function variableOf(text: string): [name: string, value: string] | null {
  const [, name, value] = text.match(/^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s) ?? [];
  return name === undefined ? null : [name, value!];
}

function checkedLength(variable: [name: string, value: string]): [name: string, value: string] {
  const [name, value] = variable;
  const bytes = new TextEncoder().encode(`CUSTOM_ENV_${name}=${value}`).length;
  if (bytes < MAX_VARIABLE_BYTES) return variable;
  throw refused(
    `Cannot use variable ${name}: Linux passes no variable of 128 KiB or more to a program`,
    "In GitLab, make it a variable of type file",
  );
}

/** MAX_ARG_STRLEN of execve(2), with the final zero; GitLab Runner cannot call the program with more either. */
const MAX_VARIABLE_BYTES = 131_072;
