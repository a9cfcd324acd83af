/** Reads dotenv reports: variables that a job leaves to later jobs. */

import { refused } from "../../failure.ts";

/** GitLab's limits of a dotenv report on gitlab.com: bytes, and variables. */
export const DOTENV_BYTES = 5120;
const MOST_VARIABLES = 150;

/**
 * Reads a dotenv report by GitLab's rules: each line is NAME=VALUE, without quotes, comments or empty lines.
 *
 * @throws {Failure} `refused` where it breaks one of them.
 */
export function parseDotenv(text: string): Record<string, string> {
  if (new TextEncoder().encode(text).length > DOTENV_BYTES) {
    throw invalid(`it has more than ${DOTENV_BYTES} bytes`);
  }
  const lines = text.replace(/\n$/, "").split("\n");
  if (lines.length > MOST_VARIABLES) throw invalid(`it has more than ${MOST_VARIABLES} lines`);
  const variables: Record<string, string> = Object.create(null);
  for (const [index, line] of lines.entries()) {
    const [, key = "", value = ""] = line.match(/^([^=]*)=(.*)$/) ?? [];
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(key.trim())) {
      throw invalid(`line ${index + 1} is not of the form NAME=VALUE`);
    }
    if (line.includes("\0")) throw invalid(`line ${index + 1} has a NUL character`);
    variables[key.trim()] = value.trim();
  }
  return { ...variables };
}

function invalid(reason: string): Error {
  return refused(
    `Cannot read the dotenv report: ${reason}`,
    "Write lines NAME=VALUE alone, without quotes, comments and empty lines",
  );
}
