/** The files of the installed program. */

import { dirname, fromFileUrl, join } from "@std/path/posix";

/** Where the program is installed. */
export interface Installation {
  /** The files that the command of this program needs, at the same paths. */
  readonly files: readonly string[];
  /** The folder of its data. */
  readonly folder: string;
}

/** The commands of a job's stages, each of which has a program of its own in the form of a script. */
export const PROGRAMS_OF_STAGES: readonly string[] = ["gitlab-config", "prepare", "run", "cleanup"];

/** Returns the file of a program in the form of a script; `all` has all commands. They lie beside its Deno. */
export function programFile(name: string): string {
  return join(dirname(Deno.execPath()), "program", `${name}.js`);
}

/** Finds the installation. A script lies apart from its Deno, which lies in the folder of the program's data. */
export async function findInstallation(): Promise<Installation> {
  const program = Deno.execPath();
  const main = fromFileUrl(Deno.mainModule);
  if (Deno.build.standalone) return { files: [program], folder: dirname(main) };
  const folder = dirname(program);
  return { files: [await Deno.realPath(main), program, programFile("all")], folder };
}
