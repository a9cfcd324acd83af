/**
 * Files of the kernel. Deno reads `/proc` and `/sys` only for programs that may do everything, the
 * network included, and this one may not: `cat` reads for it, one process for all files of a call.
 */

import type { Host } from "../host/host.ts";

/**
 * The contents of kernel files, one after the other; what is not there is left out.
 *
 * @param host The outside.
 * @param paths At least one absolute path.
 * @returns The text.
 */
export async function readKernel(host: Host, ...paths: string[]): Promise<string> {
  return (await host.processes.capture(["cat", "--", ...paths])).stdout;
}

/** Where the kernel keeps an id that no other boot has: random(4). */
export const BOOT_ID = "/proc/sys/kernel/random/boot_id";

/** What the kernel says of this host and of ourselves. */
export interface KernelFacts {
  /** An id that no other boot of the host has: random(4). */
  readonly boot: string;
  /** Our own line of proc_pid_stat(5). */
  readonly stat: string;
  /** Our own cgroup in the unified hierarchy, or null where there is none: cgroups(7). */
  readonly cgroup: string | null;
  readonly mounts: readonly Mount[];
  /** The names of all network interfaces. */
  readonly links: readonly string[];
}

/** One mount. */
export interface Mount {
  readonly point: string;
  readonly type: string;
}

/**
 * What the kernel says of this host and of ourselves.
 *
 * @param host The outside.
 * @returns All facts, from one process.
 */
export async function kernelFacts(host: Host): Promise<KernelFacts> {
  const own = `/proc/${host.pid()}`;
  const text = await readKernel(
    host,
    BOOT_ID,
    `${own}/stat`,
    `${own}/cgroup`,
    `${own}/mountinfo`,
    `${own}/net/dev`,
  );
  const [boot = "", stat = ""] = text.split("\n");
  return {
    boot,
    stat,
    cgroup: parseCgroup(text),
    mounts: parseMounts(text),
    links: parseLinks(text),
  };
}

/**
 * Prints the line of proc_pid_stat(5) of the nearest GitLab Runner above us. A script of such a name has a
 * shell for its executable: it ends with its stage, and says nothing about the job.
 */
export const FIND_RUNNER_SCRIPT = `
pid=$PPID
while [ "$pid" -gt 1 ]; do
  name='' parent=0
  while read -r key value; do
    case $key in
      Name:) name=$value ;;
      PPid:) parent=$value && break ;;
    esac
  done <"/proc/$pid/status" || exit 0
  case $name in
    gitlab-runner*)
      program=$(readlink "/proc/$pid/exe") || exit 0
      case \${program##*/} in
        gitlab-runner*) exec cat "/proc/$pid/stat" ;;
      esac
      ;;
  esac
  pid=$parent
done
`;

/**
 * The GitLab Runner that called us: the nearest above us, however many wrappers are between.
 *
 * @param host The outside.
 * @returns Null where there is none.
 */
export async function callingRunner(host: Host): Promise<ProcessId | null> {
  return parseStat((await host.processes.capture(["sh", "-c", FIND_RUNNER_SCRIPT])).stdout);
}

/**
 * The cgroup in the unified hierarchy that a text of `/proc/PID/cgroup` names.
 *
 * @param text The file, or more.
 * @returns Its path below the hierarchy's root, or null.
 */
export function parseCgroup(text: string): string | null {
  return text.match(/^0::(\/.*)$/m)?.[1] ?? null;
}

/**
 * All mounts in a text of proc_pid_mountinfo(5), in the order in which they were made.
 *
 * @param text The file, or more: other lines are passed over.
 * @returns One entry a mount.
 */
export function parseMounts(text: string): Mount[] {
  return text.split("\n").flatMap((line) => {
    const [before = "", after] = line.split(" - ");
    const point = before.split(" ")[4];
    const type = after?.split(" ")[0];
    return point === undefined || type === undefined ? [] : [{ point: unescape(point), type }];
  });
}

/**
 * The interfaces in a text of `/proc/PID/net/dev`: proc_pid_net(5).
 *
 * @param text The file, or more.
 * @returns Their names.
 */
export function parseLinks(text: string): string[] {
  return [...text.matchAll(/^ *([^\s:\/]+): *\d+ +\d+ /gm)].map(([, name]) => name!);
}

function unescape(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(parseInt(octal, 8)));
}

/**
 * The type of the file system that holds a path.
 *
 * @param mounts All mounts.
 * @param path An absolute path without symlinks.
 * @returns The type, `ext4` for one.
 */
export function fileSystemOf(mounts: readonly Mount[], path: string): string {
  const holds = ({ point }: Mount) =>
    path === point || path.startsWith(point === "/" ? "/" : `${point}/`);
  // The longest mount point holds it, and of several on one point the last.
  return mounts.filter(holds).reduce(
    (best, mount) => mount.point.length >= best.point.length ? mount : best,
    { point: "", type: "" },
  ).type;
}

/** A process for all time: pids are used again, a pid with its start time is not. */
export interface ProcessId {
  readonly pid: number;
  /** Clock ticks from boot to its start: field 22 of proc_pid_stat(5). */
  readonly start: number;
}

/**
 * Who a pid is at this moment.
 *
 * @param host The outside.
 * @param pid A process id.
 * @returns Its lasting identity, or null when there is no such process or it only waits to be reaped.
 */
export async function identify(host: Host, pid: number): Promise<ProcessId | null> {
  return parseStat(await readKernel(host, `/proc/${pid}/stat`));
}

/**
 * The identity in a line of `/proc/PID/stat`.
 *
 * @param stat The line; it may be empty.
 * @returns Null where there is none, or the process has ended.
 */
export function parseStat(stat: string): ProcessId | null {
  // The second field is the program's name in parentheses, and may itself hold anything.
  const name = stat.lastIndexOf(")");
  const fields = stat.slice(name + 2).split(" ");
  const [state] = fields;
  const pid = parseInt(stat);
  const start = Number(fields[19]);
  if (name === -1 || Number.isNaN(pid) || Number.isNaN(start)) return null;
  const isExiting = (Number(fields[6]) & PF_EXITING) !== 0;
  return isExiting || state === "Z" || state === "X" ? null : { pid, start };
}

/** Of field 9: a PID 1 that was killed has it before all others in its namespace are killed. */
const PF_EXITING = 0x4;

/**
 * Whether a process still runs.
 *
 * @param host The outside.
 * @param process Whom to look for.
 * @returns False when it ended, also when its pid is in use again.
 */
export async function isAlive(host: Host, process: ProcessId): Promise<boolean> {
  return (await identify(host, process.pid))?.start === process.start;
}
