/** What nspawn leaves behind when it is killed. */

import { join } from "@std/path/posix";
import type { Host } from "./host.ts";

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

/** Words: the folder, the beginning of a name. What follows there is a process id. */
const SWEEP_DEAD = `
for path in "$1/$2"*; do
  [ -d "$path" ] && [ ! -e "/proc/\${path#"$1/$2"}" ] || continue
  umount --quiet "$path"
  rmdir "$path"
done
`;

/**
 * Does the same for machines that are called after the process that started them, where that is gone.
 *
 * @param host The outside.
 * @param prefix What comes before its id.
 */
export async function sweepDeadExports(host: Host, prefix: string): Promise<void> {
  const names = await host.files.list(EXPORTS);
  if (!names.some((name) => name.startsWith(prefix))) return;
  await host.processes.capture(["sh", "-c", SWEEP_DEAD, "sh", EXPORTS, prefix]);
}
