/** A job as GitLab Runner hands it to an executor: its files, its environment, its stages. */

import { join } from "@std/path/posix";
import type { Host } from "../host/host.ts";
import { quote } from "../text/quote.ts";

/** The exit codes that GitLab Runner passes to an executor. */
export const BUILD_FAILURE = 1;
export const SYSTEM_FAILURE = 2;

/** A job for an executor. */
export interface RunnerJob {
  /** The fields of GitLab's answer to a request for a job. */
  readonly response: Readonly<Record<string, unknown>>;
  /** The job's variables, expanded, as the executor's environment has them. */
  readonly variables: Readonly<Record<string, string>>;
}

/**
 * Writes the files that GitLab Runner keeps for an executor.
 *
 * @param folder The job's temporary folder.
 * @returns The environment of every stage, the caller's own included.
 */
export async function stageEnvironment(
  host: Host,
  folder: string,
  { response, variables }: RunnerJob,
): Promise<Record<string, string>> {
  const path = join(folder, "response.json");
  await host.files.write(path, JSON.stringify(response));
  return {
    ...withoutJobVariables(host.environment()),
    ...driverVariables(variables),
    TMPDIR: folder,
    JOB_RESPONSE_FILE: path,
    BUILD_EXIT_CODE_FILE: join(folder, "build_exit_code"),
    BUILD_FAILURE_EXIT_CODE: String(BUILD_FAILURE),
    SYSTEM_FAILURE_EXIT_CODE: String(SYSTEM_FAILURE),
  };
}

/** Returns variables of a job as an executor's environment has them. */
export function driverVariables(
  variables: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(variables).map(([name, value]) => [`CUSTOM_ENV_${name}`, value]),
  );
}

function withoutJobVariables(environment: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => !name.startsWith("CUSTOM_ENV_")),
  );
}

/** A service in CI_JOB_SERVICES. */
export interface ShortService {
  readonly name: string;
  readonly alias?: string;
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
}

/** Returns the value of CI_JOB_SERVICES, which has the first alias alone: executors/custom/custom.go. */
export function shortServices(services: readonly ShortService[]): string {
  if (services.length === 0) return "";
  return JSON.stringify(services.map(({ name, alias, entrypoint, command }) => ({
    name,
    alias: alias?.split(/[, ]/)[0] ?? "",
    entrypoint: entrypoint ?? null,
    command: command ?? null,
  })));
}

/** The value of CI_JOB_STATUS. */
export type JobStatus = "running" | "success" | "failed";

/** One stage with a script. */
export interface Stage {
  readonly name: string;
  /** Returns the whole script. */
  readonly script: (status: JobStatus) => string;
  /** Whether it runs after success, after a failure, or after both. */
  readonly when: "success" | "failure" | "always";
  /** Whether the job fails if this stage fails. */
  readonly counts: boolean;
  /** Seconds after which it is ended; absent for no limit of its own. */
  readonly limit?: number;
  /** The file of the host that gets what the script writes to its stdout; absent for the job's output. */
  readonly stdout?: string;
  /** Bytes that this file may have; absent for no limit. */
  readonly stdoutLimit?: number;
  /** Called when it has ended. */
  readonly onEnd?: (code: number) => Promise<void>;
}

/**
 * Returns a script as GitLab Runner generates it: traps, strict options, the body in a subshell without stdin.
 *
 * @param shell As the config stage answered.
 */
export function stageScript(body: string, shell = "bash", trace = false): string {
  return `#!/usr/bin/env ${shell}

trap 'exit 1' TERM

${
    trace
      ? "set -o xtrace\n"
      : ""
  }case "$(set -o)" in *"pipefail"*) set -o pipefail;; esac; set -o errexit
set +o noclobber
(trap 'exit 1' TERM; eval ${quote(body + "\n")}) </dev/null
exit 0
`;
}
