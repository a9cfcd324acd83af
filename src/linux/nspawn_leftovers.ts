/** What systemd-nspawn leaves behind when it is killed. */

import { join } from "@std/path/posix";
import type { Host } from "../host/host.ts";

/** Below it, nspawn mounts a folder for a machine's sockets, since version 257. */
const EXPORT_MOUNTS = "/run/systemd/nspawn/unix-export";

/** Where systemd-machined keeps a file for each machine, from its start to its end. */
export const MACHINE_RECORDS = "/run/systemd/machines";

/** Returns the folder that nspawn mounts for a machine, and unmounts at the end. */
export function exportMountOf(machine: string): string {
  return join(EXPORT_MOUNTS, machine);
}

/**
 * Removes the mount that a killed nspawn leaves behind: it would refuse a machine of the same name. Does nothing where
 * somebody else's machine of that name runs.
 *
 * @param machine A machine that has ended.
 */
export async function removeExportMount(host: Host, machine: string): Promise<void> {
  const path = exportMountOf(machine);
  if (await host.files.lstat(path) === null) return;
  if (await host.files.lstat(join(MACHINE_RECORDS, machine)) !== null) return;
  await host.processes.capture(["umount", "--quiet", path]); // fails where nothing is mounted
  await host.files.remove(path);
}
