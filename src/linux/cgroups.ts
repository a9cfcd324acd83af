/** Cgroups that we make ourselves: cgroups(7). */

import { join } from "@std/path/posix";
import { hostFailure } from "../failure.ts";
import type { Argv, Host } from "../host/host.ts";
import type { KernelFacts } from "./proc.ts";

/**
 * Where the cgroup of that name goes: below our own, since no other part of the hierarchy is ours.
 *
 * @param facts What the kernel says.
 * @param name One component of a path.
 * @returns Its path in the unified hierarchy, then those of the twins that nspawn makes in a mixed one.
 * @throws {Failure} of the host where no unified hierarchy is mounted.
 */
export function cgroupPaths(facts: KernelFacts, name: string): [string, ...string[]] {
  const unified = facts.mounts.find((mount) => mount.type === "cgroup2")?.point;
  if (unified === undefined || facts.cgroup === null) {
    throw hostFailure(
      "Cannot start machines here: no unified cgroup hierarchy is mounted",
      "Mount one: mount -t cgroup2 cgroup2 /sys/fs/cgroup",
    );
  }
  // Who came from outside of a cgroup namespace is not in it, and may make cgroups at its root alone.
  const own = facts.cgroup.startsWith("/..") ? "/" : facts.cgroup;
  const below = join(own, name);
  const twins = facts.mounts.filter((mount) => mount.type === "cgroup")
    .map((mount) => join(mount.point, below));
  return [join(unified, below), ...twins];
}

/**
 * A command line that runs another one in a cgroup, which is made where it is missing. The words of
 * the script are fixed, what varies comes as arguments.
 *
 * @param cgroup Its path in the unified hierarchy.
 * @param argv What runs there.
 * @returns The words.
 */
export function inCgroup(cgroup: string, argv: readonly string[]): Argv {
  return ["sh", "-c", ENTER_CGROUP_SCRIPT, "sh", cgroup, ...argv];
}

/** Arguments: the cgroup, the command. */
export const ENTER_CGROUP_SCRIPT =
  'mkdir -p "$1" && echo $$ >"$1/cgroup.procs" && shift && exec "$@"';

/** Functions that end all in a cgroup and remove it. `cgroup.kill` is there from Linux 5.14 on. */
export const END_FUNCTIONS = `
processes() {
  find "$1" -name cgroup.procs -exec cat {} + 2>/dev/null
}
signal() {
  for process in $(processes "$1"); do kill -s "$2" "$process" 2>/dev/null; done
}
kill_all() {
  { echo 1 >"$1/cgroup.kill"; } 2>/dev/null || signal "$1" KILL
}
remove() {
  rmdir "$cgroup" 2>/dev/null || find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null
  [ ! -d "$cgroup" ]
}
now() {
  read -r now _ </proc/uptime
  now=$(echo "$now" | tr -d .)
}
removed_within() {
  now
  end=$((now + $1))
  until remove; do
    now
    [ "$now" -lt "$end" ] || return 1
    sleep 0.01
  done
}
end_all() {
  remove && return
  # nspawn, beside its machine, tidies up when that is gone.
  if [ -d "$cgroup/payload" ]; then
    kill_all "$cgroup/payload"
    removed_within 500 && return
  fi
  if [ "$grace" -gt 0 ]; then
    signal "$cgroup" TERM
    removed_within "$grace" && return
  fi
  kill_all "$cgroup"
  removed_within 500
}
`;

/** Words: GRACE in hundredths of a second between SIGTERM and SIGKILL, the cgroup, its twins. */
export const END_CGROUP_SCRIPT = `${END_FUNCTIONS}
grace=$1 cgroup=$2
end_all || exit 1
shift 2
for twin; do
  [ ! -d "$twin" ] || find "$twin" -depth -type d -exec rmdir {} + 2>/dev/null
done
exit 0
`;

/**
 * Runs a command in a cgroup of its own and ends with its code; what it left there is ended before.
 * Words: GRACE, the cgroup, the command. We stay outside, where nothing is ended.
 */
export const RUN_IN_CGROUP_SCRIPT = `${END_FUNCTIONS}
grace=$1 cgroup=$2
shift 2
mkdir -p "$cgroup" || exit
# A shell says it when its child was killed: not in the log of a job.
exec 3>&2 2>/dev/null
(echo 0 >"$cgroup/cgroup.procs" && exec "$@" 2>&3 3>&-)
code=$?
end_all
exit "$code"
`;

/**
 * A command line that runs another one in a cgroup of its own. Whatever is left there when it has ended
 * gets SIGTERM, and SIGKILL after a while; then the cgroup is gone.
 *
 * @param cgroup Its path in the unified hierarchy.
 * @param grace Seconds between SIGTERM and SIGKILL.
 * @param argv What runs there.
 * @returns The words.
 */
export function inOwnCgroup(cgroup: string, grace: number, argv: readonly string[]): Argv {
  return ["sh", "-c", RUN_IN_CGROUP_SCRIPT, "sh", `${grace * 100}`, cgroup, ...argv];
}

/**
 * Ends all in a cgroup and removes it. Fine when it is not there.
 *
 * @param host The outside.
 * @param cgroups Its path, then those of its twins.
 * @param grace Seconds between SIGTERM and SIGKILL; 0 for SIGKILL at once.
 * @throws {Failure} of the host when it does not go.
 */
export async function endCgroup(
  host: Host,
  cgroups: readonly string[],
  grace: number,
): Promise<void> {
  if (cgroups.length === 0) return;
  const { code } = await host.processes.capture([
    "sh",
    "-c",
    END_CGROUP_SCRIPT,
    "sh",
    `${grace * 100}`,
    ...cgroups,
  ]);
  if (code !== 0) throw hostFailure(`Cannot remove cgroup ${cgroups[0]}: its processes do not end`);
}
