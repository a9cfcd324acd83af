/** The one place where what happened becomes the number that the program exits with. */

import type { Ending } from "../ending.ts";
import { Failure, messageOf } from "../failure.ts";
import type { Host } from "../host/host.ts";

/** Exit codes of calls by hand, where no GitLab Runner gave its own. */
export const BY_HAND = {
  /** Anything that is none of the others. */
  failed: 1,
  /** The command line is wrong. */
  usage: 2,
  /** A script could not be run to its end: the host failed, or its machine was lost. */
  hostFailed: 125,
} as const;

/** What a command came to. */
export type Outcome =
  | { readonly kind: "done" }
  | { readonly kind: "ending"; readonly ending: Ending }
  | { readonly kind: "failure"; readonly error: unknown };

/** The numbers that GitLab Runner wants to see. */
interface RunnerCodes {
  readonly buildFailure: number;
  readonly systemFailure: number;
}

/**
 * Forgets the exit code of an earlier stage: its file is the same for all stages of a job, and
 * GitLab Runner never empties it.
 *
 * @param host The outside.
 */
export async function forgetExitCode(host: Host): Promise<void> {
  const file = host.env("BUILD_EXIT_CODE_FILE");
  if (file) await host.files.remove(file);
}

/**
 * The program's exit code, with the script's own left where GitLab Runner looks for it.
 *
 * @param host The outside.
 * @param outcome What happened.
 * @param runsScript Whether the command runs a user's script.
 * @returns The code to exit with.
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
      return await isTold(host, code) ? codes.buildFailure : codes.systemFailure;
    }
    case "failure":
      // Only what may pass on a second try is worth the three that GitLab Runner makes.
      return isKind(outcome.error, "usage") || isKind(outcome.error, "refused")
        ? codes.buildFailure
        : codes.systemFailure;
  }
}

/** Without a file there is nothing to tell; one that cannot be written would lose the code. */
async function isTold(host: Host, code: number): Promise<boolean> {
  const file = host.env("BUILD_EXIT_CODE_FILE");
  if (!file) return true;
  try {
    await host.files.replace(file, `${code}\n`);
    return true;
  } catch (error) {
    host.log.warn(`nspawn-runner: cannot write ${file}: ${messageOf(error)}`);
    return false;
  }
}

/** A script's own exit code, or null where it never came to have one. */
function scriptCode(ending: Ending): number | null {
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
