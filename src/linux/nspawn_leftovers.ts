/** What nspawn leaves behind when it is killed. */

import { join } from "@std/path/posix";
import type { Host } from "../host/host.ts";

/** Where nspawn from 257 on mounts a folder for a machine's sockets. */
export const EXPORTS = "/run/systemd/nspawn/unix-export";

/** Where machined keeps its record of a machine: there from its start to its end. */
export const RECORDS = "/run/systemd/machines";

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

/**
 * What the names of machines begin with that somebody works in to make or change a chroot. They end with our own
 * process id, by which the remains of a killed one are told.
 */
export const WORKSHOP = "nspawn-runner-";

/**
 * Words: the folder of records, that of exports, what names begin with. Prints the names of what it ended.
 *
 * What runs in a tree lives on when its nspawn is killed, and would change the tree for ever. One that was
 * killed while systemd made its scope stays known as well, since nobody tells systemd that it is empty.
 */
export const SWEEP_SCRIPT = `
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

/**
 * Ends what somebody worked in who is gone, and removes what nspawn left of it.
 *
 * @param host The outside.
 */
export async function sweepWorkshops(host: Host): Promise<void> {
  const names = [...await host.files.list(RECORDS), ...await host.files.list(EXPORTS)];
  if (!names.some((name) => name.startsWith(WORKSHOP))) return;
  const argv = ["sh", "-c", SWEEP_SCRIPT, "sh", RECORDS, EXPORTS, WORKSHOP] as const;
  const { stdout } = await host.processes.capture(argv);
  for (const name of stdout.split("\n").filter((line) => line !== "")) {
    host.log.info(`Ending ${name}: who worked in it was killed`);
  }
}
