/** Runs one command line and returns the exit code. */

import type { Config } from "../config/settings.ts";
import type { Ending } from "../ending.ts";
import { Failure, messageOf, refused, stackOf } from "../failure.ts";
import { exitCode, forgetExitCode, type Outcome } from "../gitlab/exit_codes.ts";
import type { Host } from "../host/host.ts";
import { VERSION } from "../version.ts";
import { commandName, parseCommandLine, type Parsed } from "./parse.ts";
import { STAGE_COMMANDS } from "./stage_commands.ts";
import type { CommandSpec, Context } from "../app/command.ts";

/**
 * Runs the program.
 *
 * @param argv The command line, without the program's name.
 * @param host The interface to everything outside the program.
 * @returns The exit code.
 */
export async function main(argv: readonly string[], host: Host): Promise<number> {
  let command: CommandSpec | undefined;
  const outcome = await attempt(async () => {
    await forgetExitCode(host);
    const parsed = parseCommandLine(argv, await commandsFor(argv));
    if (parsed.kind === "command") command = parsed.command;
    return await perform(parsed, host);
  });
  report(host, outcome);
  return await exitCode(host, outcome, command?.runsScript ?? false);
}

async function attempt(act: () => Promise<Ending | void>): Promise<Outcome> {
  try {
    const ending = await act();
    return ending === undefined ? { kind: "done" } : { kind: "ending", ending };
  } catch (error) {
    return { kind: "failure", error };
  }
}

/** Returns a table that has the command of a command line, if there is one. */
async function commandsFor(argv: readonly string[]): Promise<readonly CommandSpec[]> {
  const name = commandName(argv);
  if (name === undefined || STAGE_COMMANDS.some((spec) => spec.name === name)) {
    return STAGE_COMMANDS;
  }
  return (await import("./commands.ts")).ALL_COMMANDS;
}

async function perform(parsed: Parsed, host: Host): Promise<Ending | void> {
  switch (parsed.kind) {
    case "version":
      return host.terminal.out(`nspawn-runner ${VERSION}\n`);
    case "help": {
      const { helpText } = await import("./help.ts");
      return host.terminal.out(helpText(parsed.command));
    }
    case "command":
      return await runCommand(parsed, host);
  }
}

async function runCommand(
  parsed: Extract<Parsed, { kind: "command" }>,
  host: Host,
): Promise<Ending | void> {
  const { command, globals, invocation } = parsed;
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
