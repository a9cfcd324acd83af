/** The command line of `pipeline`. */

import type { Invocation } from "../../app/command.ts";
import { parseVariable, parseVariables } from "../../app/variable_option.ts";
import { refused, usageError } from "../../failure.ts";
import type { Host } from "../../host/host.ts";

/** What is to be run, and how. */
export interface PipelineOptions {
  /** Names of jobs; none for the whole pipeline. */
  readonly jobs: readonly string[];
  /** The path of the file in the working copy. */
  readonly file: string;
  /** A commit that is run in place of the working copy. */
  readonly commit: string | undefined;
  readonly variables: Readonly<Record<string, string>>;
  /** Values that are not shown. */
  readonly masked: readonly string[];
  /** Whether files of other projects and servers may be fetched. */
  readonly fetch: boolean;
  /** How many jobs run at once, at most. */
  readonly limit: number;
  /** A folder for the output of each job; undefined for the screen. */
  readonly logs: string | undefined;
  /** Where the output of jobs goes: stdout may be for JSON. */
  readonly stream: "stdout" | "stderr";
  /** Whether the machine of a failed job stays. */
  readonly keep: boolean;
}

/** Reads the options that do not choose another action. */
export async function pipelineOptions(
  host: Host,
  { allPositionals, options, lists, switches }: Invocation,
): Promise<PipelineOptions> {
  const secret = await variablesIn(host, options["variables-file"]);
  return {
    jobs: allPositionals,
    file: options["file"] ?? ".gitlab-ci.yml",
    commit: options["commit"],
    variables: {
      ...secret,
      ...Object.fromEntries((lists["variable"] ?? []).map(parseVariable)),
    },
    masked: Object.values(secret),
    fetch: switches.has("fetch"),
    limit: limitOf(options["jobs"]),
    logs: options["logs"],
    stream: switches.has("json") ? "stderr" : "stdout",
    keep: switches.has("keep"),
  };
}

/** More machines at once than processors would only wait for one another. */
function limitOf(text: string | undefined): number {
  if (text === undefined) return navigator.hardwareConcurrency;
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw usageError(`Cannot run ${text} jobs at once`, "Give a whole number from 1 to 9999");
}

async function variablesIn(
  host: Host,
  path: string | undefined,
): Promise<Record<string, string>> {
  if (path === undefined) return {};
  const isFolder = (await host.files.stat(path))?.kind === "directory";
  const text = isFolder ? null : await host.files.read(path);
  if (text !== null) return parseVariables(text, path);
  throw refused(`Cannot read variables of ${path}: no such file`, "Give the path of a file");
}
