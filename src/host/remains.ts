/** What nspawn leaves behind when it is killed. */

import { join } from "@std/path/posix";
import type { Host } from "./host.ts";

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
 * Words: the folder of trees, that of records, that of exports, what names begin with.
 *
 * What runs in a tree lives on when its nspawn is killed, and would change the tree for ever. One that was
 * killed while systemd made its scope stays known as well, since nobody tells systemd that it is empty.
 */
const SWEEP = `
trees=$1 records=$2 exports=$3
shift 3
of() { sed -n "s/^$1=//p" "$records/$name" 2>&-; }
for prefix do
  for path in "$records/$prefix"* "$exports/$prefix"*; do
    name=\${path##*/}
    starter=\${name##*-}
    case $starter in "" | *[!0-9]*) continue ;; esac
    [ ! -e "/proc/$starter" ] || continue
    leader=$(of LEADER)
    case $path in
      "$records"/*)
        case $(of ROOT) in "$trees"/*) ;; *) continue ;; esac
        machinectl kill --signal=KILL "$name"
        machinectl terminate "$name"
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
done
`;

/**
 * Ends machines that somebody worked in, and whose names end with the id of the process that started them,
 * where that is gone; removes what is left of them.
 *
 * @param host The outside.
 * @param trees The folder below which their trees are: others are not ours, whatever they are called.
 * @param prefixes What their names begin with.
 */
export async function sweepWorkshops(
  host: Host,
  trees: string,
  prefixes: readonly string[],
): Promise<void> {
  const names = [...await host.files.list(RECORDS), ...await host.files.list(EXPORTS)];
  if (!names.some((name) => prefixes.some((prefix) => name.startsWith(prefix)))) return;
  const argv = ["sh", "-c", SWEEP, "sh", trees, RECORDS, EXPORTS, ...prefixes] as const;
  await host.processes.capture(argv);
}
