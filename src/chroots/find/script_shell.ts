/** Which shell GitLab Runner is to write scripts for. */

import type { Host } from "../../host/host.ts";
import type { Chroot } from "./chroot.ts";

/** Shells that GitLab Runner writes scripts for, and that run on Linux. */
const KNOWN = ["bash", "sh", "pwsh"];

const FOLDERS = ["usr/bin", "bin", "usr/local/bin"];

/**
 * The shell that GitLab Runner is to write a job's scripts for.
 *
 * @param host The outside.
 * @param chroot Where they run.
 * @returns What its definition says, else bash where the chroot has it, else sh.
 */
export async function scriptShell(host: Host, chroot: Chroot): Promise<string> {
  const said = chroot.own[0]?.shell?.split("/").at(-1);
  if (said !== undefined && KNOWN.includes(said)) return said;
  return await chrootHas(host, chroot, "bash") ? "bash" : "sh";
}

/**
 * Whether a chroot has a program where every shell looks for it.
 *
 * @param host The outside.
 * @param chroot Where.
 * @param name The program.
 * @returns True also for a symlink, wherever that leads.
 */
export async function chrootHas(host: Host, chroot: Chroot, name: string): Promise<boolean> {
  for (const folder of FOLDERS) {
    if (await host.files.lstat(`${chroot.path}/${folder}/${name}`) !== null) return true;
  }
  return false;
}
