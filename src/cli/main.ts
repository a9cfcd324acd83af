/** Runs one command line and returns the exit code. */

import type { CommandSpec } from "../app/command.ts";
import type { Host } from "../host/host.ts";
import { commandName, parseCommandLine } from "./parse.ts";
import { type Call, PRINT_VERSION, runCall } from "./run_call.ts";
import { STAGE_COMMANDS } from "./stage_commands.ts";

/**
 * Runs the program.
 *
 * @param argv The command line, without the program's name.
 * @param host The interface to everything outside the program.
 * @returns The exit code.
 */
export async function main(argv: readonly string[], host: Host): Promise<number> {
  return await runCall(host, async () => {
    return await callOf(parseCommandLine(argv, await commandsFor(argv)));
  });
}

async function callOf(parsed: ReturnType<typeof parseCommandLine>): Promise<Call> {
  switch (parsed.kind) {
    case "version":
      return PRINT_VERSION;
    case "help": {
      const { helpText } = await import("./help.ts");
      return { kind: "text", text: helpText(parsed.command) };
    }
    case "command":
      return parsed;
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
