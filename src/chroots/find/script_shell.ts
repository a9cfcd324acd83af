/** The shell for which GitLab Runner writes a job's scripts. */

import type { Host } from "../../host/host.ts";
import type { Chroot } from "./chroot.ts";

/** Shells for which GitLab Runner can write scripts, and that run on Linux. */
const SUPPORTED = ["bash", "sh", "pwsh"];

const FOLDERS = ["usr/bin", "bin", "usr/local/bin"];

/** Returns the shell of a chroot's definition, else bash where the chroot has it, else sh. */
export async function scriptShell(host: Host, chroot: Chroot): Promise<string> {
  const defined = chroot.own[0]?.shell?.split("/").at(-1);
  if (defined !== undefined && SUPPORTED.includes(defined)) return defined;
  return await chrootHas(host, chroot, "bash") ? "bash" : "sh";
}

/**
 * Tells whether a chroot has a program in one of the usual folders. A symlink counts as one, since
 * its target is meant inside of the chroot.
 */
export async function chrootHas(host: Host, chroot: Chroot, program: string): Promise<boolean> {
  for (const folder of FOLDERS) {
    if (await host.files.lstat(`${chroot.path}/${folder}/${program}`) !== null) return true;
  }
  return false;
}
