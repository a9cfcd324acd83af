/**
 * The script itself: runs the program of the stage that the command line names, or else the program of all commands. A program
 * ends this process, unless the command line turns out to be another command's.
 */

import { programFile, PROGRAMS_OF_STAGES } from "../../host/installation.ts";

const stage = Deno.args.find((word) => PROGRAMS_OF_STAGES.includes(word));
if (stage !== undefined) await import(programFile(stage));
await import(programFile("all"));
Deno.exit(1); // the file is damaged: it has run nothing
