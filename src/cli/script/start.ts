/**
 * The program as a script: loads the file with the command of this call. Each call of a job has a file with nothing but that
 * call, all other commands share one.
 */

import { FILES_OF_STAGES, programFile } from "../../host/installation.ts";

await import(programFile(Deno.args.find((word) => FILES_OF_STAGES.includes(word))));
