/**
 * The program as a script: the calls of a job are in its file, and all others in the whole program beside its Deno. Deno reads
 * and checks a file and its code cache at each start, which takes 1 ms for 100 kB.
 */

import { dirname, join } from "@std/path/posix";
import { denoHost } from "../host/deno_host.ts";
import { WHOLE_PROGRAM } from "../host/installation.ts";
import { parseCommandLine } from "./parse.ts";
import { type Call, PRINT_VERSION, runCall } from "./run_call.ts";
import { STAGE_COMMANDS } from "./stage_commands.ts";

const call = callOfJob(Deno.args);
if (call === null) await import(join(dirname(Deno.execPath()), WHOLE_PROGRAM));
else Deno.exit(await runCall(denoHost(), () => Promise.resolve(call)));

/** Returns null for all other calls, also for wrong ones. */
function callOfJob(argv: readonly string[]): Call | null {
  try {
    const parsed = parseCommandLine(argv, STAGE_COMMANDS);
    if (parsed.kind === "version") return PRINT_VERSION;
    return parsed.kind === "command" ? parsed : null;
  } catch {
    return null;
  }
}
