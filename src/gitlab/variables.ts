/** The variables of a job, as a program that starts before the job's script gets them. */

import { join } from "@std/path/posix";
import type { Host } from "../host/host.ts";

/** Bytes of a longest value, and of all together: execve(2) fails for more. */
const MAX_VALUE = 100_000;
const MAX_TOTAL = 1_000_000;

/**
 * Returns the variables of a job, `NAME=VALUE`, with the paths of file variables. Those that are too long for a process are
 * left out.
 */
export async function jobVariables(host: Host): Promise<string[]> {
  const own = Object.entries(host.environment())
    .filter(([name]) => name.startsWith(PREFIX))
    .map(([name, value]) => [name.slice(PREFIX.length), value] as const);
  const files = await fileVariables(host);
  const folder = host.env(`${PREFIX}RUNNER_TEMP_PROJECT_DIR`) ?? "";
  const variables: string[] = [];
  let total = 0;
  for (const [name, value] of own) {
    const variable = `${name}=${files.has(name) ? join(folder, name) : value}`;
    const size = new TextEncoder().encode(variable).length;
    if (name === "" || size > MAX_VALUE || total + size > MAX_TOTAL) continue;
    total += size;
    variables.push(variable);
  }
  return variables;
}

const PREFIX = "CUSTOM_ENV_";

/** Returns the names of variables of type file: GitLab Runner gives their content to the driver. */
async function fileVariables(host: Host): Promise<Set<string>> {
  const path = host.env("JOB_RESPONSE_FILE");
  const text = path ? await host.files.read(path) : null;
  try {
    const { variables } = JSON.parse(text ?? "{}");
    const all: readonly { readonly key?: unknown; readonly file?: unknown }[] = variables ?? [];
    return new Set(all.filter(({ file }) => file === true).map(({ key }) => `${key}`));
  } catch {
    return new Set(); // the parser's message would quote the text, which may contain tokens
  }
}
