/** Cgroups that this program makes itself, where systemd is not PID 1: cgroups(7). */

import { join } from "@std/path/posix";
import { hostFailure } from "../failure.ts";
import type { Argv, Host } from "../host/host.ts";
import type { KernelFacts } from "./proc.ts";

/**
 * Returns the paths of a cgroup below the cgroup of this process, the only part of the hierarchy that this program
 * may change.
 *
 * @param name One component of a path.
 * @returns The path in the unified hierarchy, then those of the twins that nspawn makes in the older ones.
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
  // A process that entered a cgroup namespace from outside can make cgroups only at the namespace's root.
  const own = facts.cgroup.startsWith("/..") ? "/" : facts.cgroup;
  const below = join(own, name);
  const twins = facts.mounts.filter((mount) => mount.type === "cgroup")
    .map((mount) => join(mount.point, below));
  return [join(unified, below), ...twins];
}

/**
 * Returns a command line that runs another one in a cgroup, which is made where it is missing.
 *
 * @param cgroup Its path in the unified hierarchy.
 */
export function inCgroup(cgroup: string, argv: readonly string[]): Argv {
  return ["sh", "-c", ENTER_CGROUP_SCRIPT, "sh", cgroup, ...argv];
}

/** Arguments: the cgroup, the command. */
export const ENTER_CGROUP_SCRIPT =
  'mkdir -p "$1" && echo $$ >"$1/cgroup.procs" && shift && exec "$@"';

/**
 * Shell functions that end all processes of a cgroup and remove it; each takes the cgroup as its first argument.
 * `cgroup.kill` exists since Linux 5.14.
 */
export const END_FUNCTIONS = `
processes_in() {
  find "$1" -name cgroup.procs -exec cat {} + 2>/dev/null
}
# Second argument: whether to freeze, 1 or 0. Meanwhile no process ends, and no process id passes to another one; from
# Linux 5.2 on.
freeze() {
  [ -e "$1/cgroup.freeze" ] || return 0
  echo "$2" >"$1/cgroup.freeze" || return 0
  tries=0
  while [ "$2" = 1 ] && [ "$tries" -lt 20 ]; do
    while read -r key value; do
      [ "$key $value" != "frozen 1" ] || return 0
    done <"$1/cgroup.events"
    sleep 0.01
    tries=$((tries + 1))
  done
}
signal_all() {
  freeze "$1" 1
  for process in $(processes_in "$1"); do
    # 0 is a process of another PID namespace; to kill(1) it is this shell's own process group.
    [ "$process" -eq 0 ] || kill -s "$2" "$process" 2>/dev/null
  done
  freeze "$1" 0
}
kill_all() {
  { echo 1 >"$1/cgroup.kill"; } 2>/dev/null || signal_all "$1" KILL
}
remove() {
  rmdir "$1" 2>/dev/null || find "$1" -depth -type d -exec rmdir {} + 2>/dev/null
  [ ! -d "$1" ]
}
# Sets now, in hundredths of a second since boot.
set_now() {
  read -r uptime _ </proc/uptime
  now=\${uptime%.*}\${uptime#*.}
}
# Second argument: hundredths of a second.
removed_within() {
  set_now
  deadline=$((now + $2))
  until remove "$1"; do
    set_now
    [ "$now" -lt "$deadline" ] || return 1
    sleep 0.01
  done
}
# Second argument: hundredths of a second between SIGTERM and SIGKILL.
end_all() {
  remove "$1" && return
  # nspawn itself runs beside the payload, and tidies up when that has ended.
  if [ -d "$1/payload" ]; then
    kill_all "$1/payload"
    removed_within "$1" 500 && return
  fi
  if [ "$2" -gt 0 ]; then
    signal_all "$1" TERM
    removed_within "$1" "$2" && return
  fi
  kill_all "$1"
  removed_within "$1" 500
}
`;

/** Arguments: the grace in hundredths of a second, the cgroup, its twins. */
export const END_CGROUP_SCRIPT = `${END_FUNCTIONS}
end_all "$2" "$1" || exit 1
shift 2
for twin; do
  [ ! -d "$twin" ] || find "$twin" -depth -type d -exec rmdir {} + 2>/dev/null
done
exit 0
`;

/**
 * Runs a command in a cgroup of its own and exits with its code, after it ended all processes that are left there.
 * Arguments: the grace in hundredths of a second, the cgroup, the command. The shell itself stays outside.
 */
export const RUN_IN_CGROUP_SCRIPT = `${END_FUNCTIONS}
grace=$1 cgroup=$2
shift 2
mkdir -p "$cgroup" || exit
# A shell reports a killed child on stderr, which is the log of a job.
exec 3>&2 2>/dev/null
(echo 0 >"$cgroup/cgroup.procs" && exec "$@" 2>&3 3>&-)
code=$?
end_all "$cgroup" "$grace"
exit "$code"
`;

/**
 * Returns a command line that runs another one in a cgroup of its own. Processes that are left when the command has
 * ended get SIGTERM, then SIGKILL; then the cgroup is removed.
 *
 * @param cgroup Its path in the unified hierarchy.
 * @param grace Seconds between SIGTERM and SIGKILL.
 */
export function inOwnCgroup(cgroup: string, grace: number, argv: readonly string[]): Argv {
  return ["sh", "-c", RUN_IN_CGROUP_SCRIPT, "sh", `${grace * 100}`, cgroup, ...argv];
}

/** Arguments: the cgroup, the signal, TERM or KILL. */
export const SIGNAL_CGROUP_SCRIPT = `${END_FUNCTIONS}
[ -d "$1" ] || exit 0
if [ "$2" = KILL ]; then kill_all "$1"; else signal_all "$1" "$2"; fi
`;

/** Sends a signal to all processes of a cgroup, and waits for nothing; succeeds also where it does not exist. */
export async function signalCgroup(
  host: Host,
  cgroup: string,
  signal: "TERM" | "KILL",
): Promise<void> {
  await host.processes.capture(["sh", "-c", SIGNAL_CGROUP_SCRIPT, "sh", cgroup, signal]);
}

/** Whose processes a cgroup holds; those of another PID namespace belong to another container of the host. */
export type CgroupState = "empty" | "populated" | "foreign";

/** Arguments: cgroups. Prints the state of each in a line. */
export const CGROUP_STATES_SCRIPT = `${END_FUNCTIONS}
for cgroup; do
  state=empty
  for process in $(processes_in "$cgroup"); do
    if [ "$process" -eq 0 ]; then
      state=foreign
      break
    fi
    state=populated
  done
  echo "$state"
done
`;

/** Returns whose processes each of some cgroups holds. */
export async function cgroupStates(
  host: Host,
  cgroups: readonly string[],
): Promise<CgroupState[]> {
  if (cgroups.length === 0) return [];
  const argv = ["sh", "-c", CGROUP_STATES_SCRIPT, "sh", ...cgroups] as const;
  const { stdout } = await host.processes.capture(argv);
  return stdout.trimEnd().split("\n") as CgroupState[];
}

/**
 * Ends all processes of a cgroup and removes it; succeeds also where it does not exist.
 *
 * @param cgroups Its path, then those of its twins.
 * @param grace Seconds between SIGTERM and SIGKILL; 0 for SIGKILL at once.
 * @throws {Failure} of the host where its processes do not end.
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
