/** Runs what a command line asks for, and returns the exit code. */

import type { Context } from "../app/command.ts";
import type { Config } from "../config/settings.ts";
import type { Ending } from "../ending.ts";
import { Failure, messageOf, refused, stackOf } from "../failure.ts";
import { exitCode, forgetExitCode, type Outcome } from "../gitlab/exit_codes.ts";
import type { Host } from "../host/host.ts";
import { VERSION } from "../version.ts";
import type { Parsed } from "./parse.ts";

/** What a command line asks for. */
export type Call =
  | { readonly kind: "text"; readonly text: string }
  | Extract<Parsed, { kind: "command" }>;

/** The call that prints the version. */
export const PRINT_VERSION: Call = { kind: "text", text: `nspawn-runner ${VERSION}\n` };

/**
 * Runs a call.
 *
 * @param parse Parses the command line; may throw a failure of usage.
 */
export async function runCall(host: Host, parse: () => Promise<Call>): Promise<number> {
  let call: Call | undefined;
  const outcome = await attempt(async () => {
    await forgetExitCode(host);
    call = await parse();
    if (call.kind === "text") return host.terminal.out(call.text);
    return await runCommand(host, call);
  });
  report(host, outcome);
  const runsScript = call?.kind === "command" && call.command.runsScript === true;
  return await exitCode(host, outcome, runsScript);
}

async function attempt(act: () => Promise<Ending | void>): Promise<Outcome> {
  try {
    const ending = await act();
    return ending === undefined ? { kind: "done" } : { kind: "ending", ending };
  } catch (error) {
    return { kind: "failure", error };
  }
}

async function runCommand(
  host: Host,
  { command, globals, invocation }: Extract<Call, { kind: "command" }>,
): Promise<Ending | void> {
  host.log.verbosity = globals.verbosity;
  if (command.needsRoot && host.uid() !== 0) {
    throw refused(`Cannot run ${command.name}: it needs root`, "Run it with sudo");
  }
  const { run } = await command.load();
  return await run(invocation, contextOf(host, globals.configPath));
}

function contextOf(host: Host, configPath: string | undefined): Context {
  let config: Promise<Config> | undefined;
  const load = async () => {
    const { loadConfig } = await import("../config/load.ts");
    return await loadConfig(host, configPath);
  };
  return { host, configPath, config: () => config ??= load() };
}

function report(host: Host, outcome: Outcome): void {
  if (outcome.kind === "ending" && outcome.ending.kind === "lost") {
    host.log.warn(`nspawn-runner: ${outcome.ending.reason}`);
  }
  if (outcome.kind !== "failure") return;
  const { error } = outcome;
  host.log.warn(`nspawn-runner: ${messageOf(error)}`);
  if (error instanceof Failure && error.hint !== undefined) host.log.info(error.hint);
  if (error instanceof Error && host.log.verbosity === "debug") host.log.info(stackOf(error));
}
