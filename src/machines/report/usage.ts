/** What a machine uses, as the kernel counts it. */

import type { Host } from "../../host/host.ts";
import { unitOf } from "../supervisor/systemd.ts";
import type { Lease } from "../record/lease.ts";
import { machinePaths } from "../record/paths.ts";

/** Counters of a machine; null where the kernel keeps none, as without the cgroup's controller. */
export interface Usage {
  /** Bytes at this moment. */
  readonly memory: number | null;
  /** Most bytes at any time: from Linux 5.19 on. */
  readonly memoryPeak: number | null;
  /** Bytes above which processes are killed; null also for no limit. */
  readonly memoryMax: number | null;
  /** Processes that were killed for their memory. */
  readonly oomKills: number | null;
  /** Processes and threads that may be at once; null also for no limit. */
  readonly tasksMax: number | null;
  /** How often a process more was refused. */
  readonly tasksRefused: number | null;
  /** Microseconds of all processors. */
  readonly cpu: number | null;
  /** Bytes that are left where it writes; on the store's disk, where it has a limit of its own. */
  readonly diskFree: number | null;
  /** Bytes that could ever be there. */
  readonly diskSize: number | null;
}

/** Words: a folder on the disk that it fills, then the files of the cgroup. */
export const USAGE_SCRIPT = `
df --block-size=1 --output=avail,size "$1" 2>/dev/null | sed -n 's/^ */disk /;2p'
shift
for file; do
  while read -r line; do
    echo "\${file##*/} $line"
  done 2>/dev/null <"$file"
done
exit 0
`;

const FILES = [
  "memory.current",
  "memory.peak",
  "memory.max",
  "memory.events",
  "pids.max",
  "pids.events",
  "cpu.stat",
];

/**
 * What a machine uses.
 *
 * @param host The outside.
 * @param lease Whose machine.
 * @returns Counters from one process.
 */
export async function readUsage(host: Host, lease: Lease): Promise<Usage> {
  const { store, machine, diskMax } = lease;
  // A limit of its own is asked for by itself: explain.ts.
  const folder = diskMax === null ? machinePaths(store, machine).folder : store;
  const cgroup = cgroupOf(lease);
  const files = cgroup === null ? [] : FILES.map((file) => `${cgroup}/${file}`);
  const { stdout } = await host.processes.capture([
    "sh",
    "-c",
    USAGE_SCRIPT,
    "sh",
    folder,
    ...files,
  ]);
  return parseUsage(stdout);
}

/**
 * The counters in lines that begin with a file's name: cgroups(7), the kernel's admin-guide/cgroup-v2.
 *
 * @param text The lines.
 * @returns Null for each that is not there.
 */
export function parseUsage(text: string): Usage {
  const find = (pattern: string) => {
    const found = text.match(new RegExp(`^${pattern}$`, "m"))?.[1];
    return found === undefined ? null : Number(found);
  };
  return {
    memory: find("memory\\.current (\\d+)"),
    memoryPeak: find("memory\\.peak (\\d+)"),
    memoryMax: find("memory\\.max (\\d+)"),
    oomKills: find("memory\\.events oom_kill (\\d+)"),
    tasksMax: find("pids\\.max (\\d+)"),
    tasksRefused: find("pids\\.events max (\\d+)"),
    cpu: find("cpu\\.stat usage_usec (\\d+)"),
    diskFree: find("disk (\\d+) +\\d+"),
    diskSize: find("disk \\d+ +(\\d+)"),
  };
}

/** The cgroup that holds all of a machine, and its limits. */
function cgroupOf({ supervisor, machine, leader, cgroups }: Lease): string | null {
  if (supervisor === "standalone") return cgroups[0] ?? null;
  const unit = `/${unitOf(machine)}`;
  const end = leader?.cgroup.indexOf(`${unit}/`) ?? -1;
  return end === -1 ? null : leader!.cgroup.slice(0, end) + unit;
}
