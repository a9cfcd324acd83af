/** What systemd-nspawn leaves behind when it is killed. */

import { join } from "@std/path/posix";
import type { Host } from "../host/host.ts";

/** Below it, nspawn mounts a folder for a machine's sockets, since version 257. */
export const EXPORT_MOUNTS = "/run/systemd/nspawn/unix-export";

/** Where systemd-machined keeps a file for each machine, from its start to its end. */
export const MACHINE_RECORDS = "/run/systemd/machines";

/**
 * Removes the mount that a killed nspawn leaves behind: it would refuse a machine of the same name.
 *
 * @param machine A machine that has ended.
 */
export async function removeExportMount(host: Host, machine: string): Promise<void> {
  const path = join(EXPORT_MOUNTS, machine);
  if (await host.files.lstat(path) === null) return;
  await host.processes.capture(["umount", "--quiet", path]); // fails where nothing is mounted
  await host.files.remove(path);
}

/**
 * Prefix of the names of machines in which a chroot is built or changed. The names end with the id of the process
 * that works in the machine: once it has ended, the machine is abandoned.
 */
export const BUILD_MACHINE_PREFIX = "nspawn-runner-";

/**
 * Ends abandoned machines and prints their names. Arguments: the folder of records, that of mounts, the prefix.
 *
 * Processes in a machine outlive a killed nspawn, and would go on changing the tree. A machine whose nspawn was
 * killed while systemd created the scope stays registered, even when it is empty.
 */
export const END_ABANDONED_SCRIPT = `
for path in "$1/$3"* "$2/$3"*; do
  name=\${path##*/}
  starter=\${name##*-}
  case $starter in "" | *[!0-9]*) continue ;; esac
  [ ! -e "/proc/$starter" ] || continue
  leader=$(sed -n "s/^LEADER=//p" "$1/$name" 2>&-)
  case $path in
    "$1"/*)
      echo "$name"
      machinectl kill --signal=KILL "$name" >&2
      machinectl terminate "$name" >&2
      tries=0
      while [ -e "/proc/$leader" ] && [ "$tries" -lt 50 ]; do
        sleep 0.1
        tries=$((tries + 1))
      done
      ;;
    *)
      [ ! -e "/proc/\${leader:-none}" ] || continue
      umount --quiet "$path"
      rmdir "$path"
      ;;
  esac
done
`;

/** Ends the machines of killed builds, and removes what nspawn left of them. */
export async function endAbandonedMachines(host: Host): Promise<void> {
  const names = [
    ...await host.files.list(MACHINE_RECORDS),
    ...await host.files.list(EXPORT_MOUNTS),
  ];
  if (!names.some((name) => name.startsWith(BUILD_MACHINE_PREFIX))) return;
  const argv = [
    "sh",
    "-c",
    END_ABANDONED_SCRIPT,
    "sh",
    MACHINE_RECORDS,
    EXPORT_MOUNTS,
    BUILD_MACHINE_PREFIX,
  ] as const;
  const { stdout } = await host.processes.capture(argv);
  for (const name of stdout.split("\n").filter((line) => line !== "")) {
    host.log.info(`Ending machine ${name}: the build that used it was killed`);
  }
}
