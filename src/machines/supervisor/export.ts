import { join } from "@std/path/posix";
import type { Host } from "../../host/host.ts";

/** Where nspawn from 257 on mounts a folder for a machine's sockets. */
export const EXPORTS = "/run/systemd/nspawn/unix-export";

/**
 * Removes the mount that nspawn leaves behind when it is killed itself, and that makes it refuse
 * the machine's name from then on.
 *
 * @param host The outside.
 * @param machine The machine, which is gone.
 */
export async function sweepExport(host: Host, machine: string): Promise<void> {
  const path = join(EXPORTS, machine);
  if (await host.files.lstat(path) === null) return;
  await host.processes.capture(["umount", "--quiet", path]); // fails where nothing is mounted
  await host.files.remove(path);
}
