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
  return fittingVariables(await variableValues(host, await declaredVariables(host)));
}

const PREFIX = "CUSTOM_ENV_";

/** A variable in the response file. */
interface VariableField {
  readonly key?: unknown;
  readonly value?: unknown;
  readonly public?: unknown;
  readonly file?: unknown;
  readonly raw?: unknown;
}

/** What the response file says about the variables of a job: GitLab's own, then the job's. */
export interface DeclaredVariables {
  readonly variables: readonly VariableField[];
  /** The names of those that GitLab Runner reads from a store of secrets. */
  readonly secrets: readonly string[];
}

/** Reads the variables of the response file; null where there is none. */
export async function declaredVariables(host: Host): Promise<DeclaredVariables | null> {
  const path = host.env("JOB_RESPONSE_FILE");
  const text = path ? await host.files.read(path) : null;
  try {
    const { variables, secrets } = JSON.parse(text ?? "");
    const all: readonly (VariableField | null)[] = variables ?? [];
    return {
      variables: all.filter((one) => one !== null),
      secrets: Object.keys(secrets ?? {}),
    };
  } catch {
    return null; // the parser's message would quote the text, which may contain tokens
  }
}

/**
 * Returns the values of a job's variables by name. Of those of type file, these are paths in the machine: GitLab Runner gives
 * their content to the driver.
 */
export function variableValues(
  host: Host,
  declared: DeclaredVariables | null,
): ReadonlyMap<string, string> {
  const files = new Set(
    declared?.variables.filter(({ file }) => file === true).map(({ key }) => key),
  );
  return new Map(
    Object.entries(host.environment()).filter(([name]) => name.startsWith(PREFIX))
      .map(([name, value]) => [name.slice(PREFIX.length), value] as const)
      .map(([name, value]) => [name, files.has(name) ? pathOfFile(host, name) : value]),
  );
}

/** Returns the path in the machine of a variable of type file. */
export function pathOfFile(host: Host, name: string): string {
  return join(host.env(`${PREFIX}RUNNER_TEMP_PROJECT_DIR`) ?? "", name);
}

/** Returns variables, `NAME=VALUE`, without those that are too long for a process. */
export function fittingVariables(values: ReadonlyMap<string, string>): string[] {
  const variables: string[] = [];
  let total = 0;
  for (const [name, value] of values) {
    const variable = `${name}=${value}`;
    const size = new TextEncoder().encode(variable).length;
    if (name === "" || size > MAX_VALUE || total + size > MAX_TOTAL) continue;
    total += size;
    variables.push(variable);
  }
  return variables;
}
