/** The files of the installed program. */

import { dirname, fromFileUrl, join } from "@std/path/posix";

/** Where the program is installed. */
export interface Installation {
  /** The files that the command of this program needs, at the same paths. */
  readonly files: readonly string[];
  /** The folder of its data. */
  readonly folder: string;
}

/** The file with all commands, beside the Deno of the script. */
export const WHOLE_PROGRAM = "program.js";

/** Finds the installation. A script lies apart from its Deno, which lies in the folder of the program's data. */
export async function findInstallation(): Promise<Installation> {
  const program = Deno.execPath();
  const main = fromFileUrl(Deno.mainModule);
  if (Deno.build.standalone) return { files: [program], folder: dirname(main) };
  const folder = dirname(program);
  return { files: [await Deno.realPath(main), program, join(folder, WHOLE_PROGRAM)], folder };
}
