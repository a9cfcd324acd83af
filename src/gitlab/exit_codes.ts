/** The exit codes of the program: the only place where the result of a command becomes a number. */

import type { Ending } from "../ending.ts";
import { Failure, messageOf } from "../failure.ts";
import type { Host } from "../host/host.ts";

/** Exit codes of calls by hand; GitLab Runner passes its own in the environment. */
export const BY_HAND = {
  /** Any other failure. */
  failed: 1,
  /** The command line is wrong. */
  usage: 2,
  /** A script did not run to its end: the host failed, or the machine was lost. */
  hostFailed: 125,
} as const;

/** The result of a command. */
export type Outcome =
  | { readonly kind: "done" }
  | { readonly kind: "ending"; readonly ending: Ending }
  | { readonly kind: "failure"; readonly error: unknown };

/** The exit codes that GitLab Runner passes in the environment. */
interface RunnerCodes {
  readonly buildFailure: number;
  readonly systemFailure: number;
}

/**
 * Removes the exit code of an earlier stage: its file is the same for all stages of a job, and GitLab Runner
 * never empties it.
 */
export async function forgetExitCode(host: Host): Promise<void> {
  const file = host.env("BUILD_EXIT_CODE_FILE");
  if (file) await host.files.remove(file);
}

/**
 * Returns the program's exit code, and writes a failed script's own code into BUILD_EXIT_CODE_FILE.
 *
 * @param runsScript Whether the command runs a user's script.
 */
export async function exitCode(
  host: Host,
  outcome: Outcome,
  runsScript: boolean,
): Promise<number> {
  const codes = runnerCodes(host);
  return codes === null
    ? codeByHand(outcome, runsScript)
    : await codeForRunner(host, outcome, codes);
}

function codeByHand(outcome: Outcome, runsScript: boolean): number {
  switch (outcome.kind) {
    case "done":
      return 0;
    case "ending":
      return scriptCode(outcome.ending) ?? BY_HAND.hostFailed;
    case "failure":
      if (isKind(outcome.error, "usage")) return BY_HAND.usage;
      if (isKind(outcome.error, "refused")) return BY_HAND.failed;
      return runsScript ? BY_HAND.hostFailed : BY_HAND.failed;
  }
}

async function codeForRunner(host: Host, outcome: Outcome, codes: RunnerCodes): Promise<number> {
  switch (outcome.kind) {
    case "done":
      return 0;
    case "ending": {
      const code = scriptCode(outcome.ending);
      if (code === null) return codes.systemFailure;
      if (code === 0) return 0;
      return await writeExitCode(host, code) ? codes.buildFailure : codes.systemFailure;
    }
    case "failure":
      // GitLab Runner retries a system failure, up to three times: only for what may pass then.
      return isKind(outcome.error, "usage") || isKind(outcome.error, "refused")
        ? codes.buildFailure
        : codes.systemFailure;
  }
}

/** Returns false if the code cannot be written: GitLab would then show a wrong exit code of the script. */
async function writeExitCode(host: Host, code: number): Promise<boolean> {
  const file = host.env("BUILD_EXIT_CODE_FILE");
  if (!file) return true;
  try {
    await host.files.replaceVolatile(file, `${code}\n`);
    return true;
  } catch (error) {
    host.log.warn(
      `nspawn-runner: cannot write the exit code of the script to ${file}: ${messageOf(error)}`,
    );
    return false;
  }
}

/** Returns a script's own exit code, or null for a script that did not end by itself. */
export function scriptCode(ending: Ending): number | null {
  switch (ending.kind) {
    case "exited":
      return ending.code;
    case "signalled":
      return 128 + ending.signal;
    case "out-of-memory":
      return 137;
    case "lost":
      return null;
  }
}

function isKind(error: unknown, kind: Failure["kind"]): boolean {
  return error instanceof Failure && error.kind === kind;
}

/** Returns whether GitLab Runner called this program, and not a person. */
export function isCalledByRunner(host: Host): boolean {
  return runnerCodes(host) !== null;
}

function runnerCodes(host: Host): RunnerCodes | null {
  const buildFailure = codeOf(host.env("BUILD_FAILURE_EXIT_CODE"));
  if (buildFailure === null) return null;
  return { buildFailure, systemFailure: codeOf(host.env("SYSTEM_FAILURE_EXIT_CODE")) ?? 2 };
}

function codeOf(text: string | undefined): number | null {
  return text !== undefined && /^[0-9]{1,3}$/.test(text) && Number(text) < 256
    ? Number(text)
    : null;
}
