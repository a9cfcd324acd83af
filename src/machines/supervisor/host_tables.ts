/** What a machine shares with its host: tables of the kernel that no limit of memory or processes bounds, and /dev/null. */

import type { Host } from "../../host/host.ts";
import type { Step } from "../../linux/mounts.ts";
import { SLICE } from "./unit.ts";

/**
 * Inotify instances that root of the host may have; the kernel's default is 128. Those of user namespaces count as
 * their creator's, and a booted machine needs about 6: a machine's memory has to be the limit that it meets first.
 */
export const INOTIFY_INSTANCES = 1_048_576;

/** The file with that number: inotify(7). */
export const INOTIFY_FILE = "/proc/sys/fs/inotify/max_user_instances";

/** Cgroups that one machine may create; the kernel has about 65,000 with a controller of memory. */
const CGROUPS_PER_MACHINE = 1_024;

/** Cgroups of all machines together. */
const CGROUPS_OF_SLICE = 20_000;

/** Raises the limit of inotify instances. A host that does not allow it keeps its own, which doctor(8) names. */
export async function raiseInotifyLimit(host: Host, instances: number): Promise<void> {
  if (instances >= INOTIFY_INSTANCES) return;
  await host.processes.capture(["sh", "-c", RAISE_INOTIFY_SCRIPT]);
}

export const RAISE_INOTIFY_SCRIPT = `echo ${INOTIFY_INSTANCES} >${INOTIFY_FILE}`;

/**
 * Limits the cgroups below a machine's and below its slice, where the host allows it.
 *
 * The input becomes a pipe, since nspawn's init in a plain machine keeps it: root of a machine without a user namespace could
 * change the mode of the host's /dev/null, which bash opens in place of an empty text.
 */
export const LIMIT_TABLES_SCRIPT = `
{
  while IFS=: read -r hierarchy _ cgroup; do
    [ "$hierarchy" = 0 ] || continue
    for root in /sys/fs/cgroup /sys/fs/cgroup/unified; do
      [ -e "$root$cgroup/cgroup.max.descendants" ] || continue
      echo ${CGROUPS_PER_MACHINE} >"$root$cgroup/cgroup.max.descendants"
      case $cgroup in
        */${SLICE}/*) echo ${CGROUPS_OF_SLICE} >"$root$cgroup/../cgroup.max.descendants" ;;
      esac
    done
  done </proc/self/cgroup
} 2>/dev/null || :
exec <<END

END
`;

/** The step before nspawn, in the cgroup of a machine, that sets these limits and gives it an empty input. */
export const LIMIT_TABLES: Step = { script: LIMIT_TABLES_SCRIPT, args: [] };
