/** The files of the installed program. */

import { dirname, fromFileUrl } from "@std/path/posix";

/** Where the program is installed. */
export interface Installation {
  /** The files that the command of this program needs, at the same paths. */
  readonly files: readonly string[];
  /** The folder of its data. */
  readonly folder: string;
}

/** Finds the installation. A script lies apart from its Deno, which lies in the folder of the program's data. */
export async function findInstallation(): Promise<Installation> {
  const program = Deno.execPath();
  const main = fromFileUrl(Deno.mainModule);
  if (Deno.build.standalone) return { files: [program], folder: dirname(main) };
  return { files: [await Deno.realPath(main), program], folder: dirname(program) };
}
