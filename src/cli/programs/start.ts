/** The script: runs the program of this call, or that of all commands where the command line is not that of the call. */

import { programFile, PROGRAMS_OF_STAGES } from "../../host/installation.ts";

const stage = Deno.args.find((word) => PROGRAMS_OF_STAGES.includes(word));
if (stage !== undefined) await import(programFile(stage));
await import(programFile("all"));
