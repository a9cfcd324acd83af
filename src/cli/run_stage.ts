/** The program of one stage of a job. */

import type { CommandSpec } from "../app/command.ts";
import { denoHost } from "../host/deno_host.ts";
import { parseCommandLine } from "./parse.ts";
import { type Call, PRINT_VERSION, runCall } from "./run_call.ts";

/** Runs the command and ends this process; does nothing where the command line is not that of the command. */
export async function runStage(command: CommandSpec): Promise<void> {
  const call = callOf(command, Deno.args);
  if (call !== null) Deno.exit(await runCall(denoHost(), () => Promise.resolve(call)));
}

/** Returns null where the command line is another command's, asks for help, or is wrong. */
function callOf(command: CommandSpec, argv: readonly string[]): Call | null {
  try {
    const parsed = parseCommandLine(argv, [command]);
    if (parsed.kind === "version") return PRINT_VERSION;
    return parsed.kind === "command" ? parsed : null;
  } catch {
    return null;
  }
}
