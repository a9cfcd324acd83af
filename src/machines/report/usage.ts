/** Reads what a machine uses, as the kernel counts it. */

import type { Host } from "../../host/host.ts";
import { DF, parseDiskSpace } from "../../linux/disk.ts";
import { unitOf } from "../supervisor/unit.ts";
import type { Lease } from "../record/lease.ts";
import type { MachineName } from "../record/name.ts";
import { machinePaths } from "../record/paths.ts";

/** Counters of a machine; null where the kernel keeps none, as without the controller of the cgroup. */
export interface Usage {
  /** Bytes used now. */
  readonly memory: number | null;
  /** The most bytes used at a time: from Linux 5.19 on. */
  readonly memoryPeak: number | null;
  /** Bytes above which processes are killed; also null where there is no limit. */
  readonly memoryMax: number | null;
  /** Bytes above which processes are slowed down; also null where there is no such limit. */
  readonly memoryHigh: number | null;
  /** How often processes were slowed down by that limit. */
  readonly slowedDown: number | null;
  /** Microseconds in which all processes at once waited for memory; null also without `psi` in the kernel. */
  readonly memoryStalled: number | null;
  /** Processes killed for their memory. */
  readonly oomKills: number | null;
  /** Processes and threads now. */
  readonly tasks: number | null;
  /** The limit of processes and threads; also null where there is no limit. */
  readonly tasksMax: number | null;
  /** Processes refused by that limit. */
  readonly tasksRefused: number | null;
  /** The most processes and threads at a time: from Linux 6.1 on. */
  readonly tasksPeak: number | null;
  /** Bytes read from disks. */
  readonly ioRead: number | null;
  /** Bytes written to disks. */
  readonly ioWritten: number | null;
  /** Microseconds of CPU time. */
  readonly cpu: number | null;
  /** Free bytes of the disk that it writes to; with a limit of its own, of the disk of the store. */
  readonly diskFree: number | null;
  /** Bytes of that disk. */
  readonly diskSize: number | null;
}

/** What a job used, as the kernel counted it; null where it does not. */
export type JobUsage =
  & Pick<
    Usage,
    | "memoryPeak"
    | "memoryMax"
    | "memoryHigh"
    | "memoryStalled"
    | "oomKills"
    | "tasksPeak"
    | "tasksMax"
    | "tasksRefused"
    | "cpu"
    | "ioRead"
    | "ioWritten"
  >
  & {
    /** Bytes of files that the machine wrote, as they are at the end. */
    readonly written: number | null;
  };

/** Words: a folder on the disk that it fills, then the files of the cgroup. */
export const USAGE_SCRIPT = `
${DF.join(" ")} "$1" 2>/dev/null
shift
for file; do
  while read -r line; do
    echo "\${file##*/} $line"
  done 2>/dev/null <"$file"
done
exit 0
`;

const CGROUP_FILES = [
  "memory.current",
  "memory.peak",
  "memory.max",
  "memory.high",
  "memory.pressure",
  "memory.events",
  "pids.current",
  "pids.max",
  "pids.events",
  "pids.peak",
  "io.stat",
  "cpu.stat",
];

/** Reads the counters of a machine, by one process. */
export async function readUsage(host: Host, lease: Lease): Promise<Usage> {
  const { store, machine, diskMax } = lease;
  // explain.ts reads a limit of the machine itself.
  const folder = diskMax === null ? machinePaths(store, machine).folder : store;
  const cgroup = cgroupOf(lease);
  const files = cgroup === null ? [] : CGROUP_FILES.map((file) => `${cgroup}/${file}`);
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

/** Reads the counters of several machines, by one process; without those of disks. */
export async function readAllUsage(
  host: Host,
  leases: readonly Lease[],
): Promise<Map<MachineName, Usage>> {
  const cgroups = new Map(leases.map((lease) => [lease.machine, cgroupOf(lease)]));
  const files = [...cgroups.values()].filter((cgroup) => cgroup !== null)
    .flatMap((cgroup) => CGROUP_FILES.map((file) => `${cgroup}/${file}`));
  const argv = ["grep", "-s", "--with-filename", "", "--", ...files] as const;
  const { stdout } = files.length === 0 ? { stdout: "" } : await host.processes.capture([...argv]);
  const texts = new Map<string, string>();
  for (const [, cgroup, file, line] of stdout.matchAll(/^(.*)\/([^/:]*):(.*)$/gm)) {
    texts.set(cgroup!, `${texts.get(cgroup!) ?? ""}${file} ${line}\n`);
  }
  return new Map(
    [...cgroups].map(([machine, cgroup]) => [machine, parseUsage(texts.get(cgroup ?? "") ?? "")]),
  );
}

/**
 * Parses counters: cgroups(7), the kernel's admin-guide/cgroup-v2.
 *
 * @param text Lines that each begin with the name of a file.
 */
export function parseUsage(text: string): Usage {
  const find = (pattern: string) => {
    const found = text.match(new RegExp(`^${pattern}$`, "m"))?.[1];
    return found === undefined ? null : Number(found);
  };
  // A line for each disk.
  const sum = (key: string) => {
    const counts = [...text.matchAll(new RegExp(`^io\\.stat .*\\b${key}=(\\d+)`, "gm"))];
    return counts.length === 0 ? null : counts.reduce((all, [, count]) => all + Number(count), 0);
  };
  const space = parseDiskSpace(text);
  return {
    memory: find("memory\\.current (\\d+)"),
    memoryPeak: find("memory\\.peak (\\d+)"),
    memoryMax: find("memory\\.max (\\d+)"),
    memoryHigh: find("memory\\.high (\\d+)"),
    slowedDown: find("memory\\.events high (\\d+)"),
    memoryStalled: find("memory\\.pressure full .*total=(\\d+)"),
    oomKills: find("memory\\.events oom_kill (\\d+)"),
    tasks: find("pids\\.current (\\d+)"),
    tasksMax: find("pids\\.max (\\d+)"),
    tasksRefused: find("pids\\.events max (\\d+)"),
    tasksPeak: find("pids\\.peak (\\d+)"),
    ioRead: sum("rbytes"),
    ioWritten: sum("wbytes"),
    cpu: find("cpu\\.stat usage_usec (\\d+)"),
    diskFree: space?.free ?? null,
    diskSize: space?.size ?? null,
  };
}

/** The cgroup with all processes and limits of a machine. */
function cgroupOf({ supervisor, machine, leader, cgroups }: Lease): string | null {
  if (supervisor === "standalone") return cgroups[0] ?? null;
  const unit = `/${unitOf(machine)}`;
  const end = leader?.cgroup.indexOf(`${unit}/`) ?? -1;
  return end === -1 ? null : leader!.cgroup.slice(0, end) + unit;
}
