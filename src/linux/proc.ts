/**
 * Files of the kernel, below /proc and /sys. Deno reads them only for programs with all permissions, and this one
 * lacks that for the network: cat(1) reads them, one process for all files of a call.
 */

import type { Host } from "../host/host.ts";

/** Returns the contents of kernel files, one after the other, without those that do not exist. */
export async function readKernel(host: Host, ...paths: string[]): Promise<string> {
  return (await host.processes.capture(["cat", "--", ...paths])).stdout;
}

/** The file with an id that differs at each boot: random(4). */
export const BOOT_ID = "/proc/sys/kernel/random/boot_id";

/** Facts about this host and this process. */
export interface KernelFacts {
  /** An id that differs at each boot of the host: random(4). */
  readonly boot: string;
  /** Seconds since the host's boot, by a clock that nobody sets; null where the kernel does not tell. */
  readonly uptime: number | null;
  /** The line of proc_pid_stat(5) of this process. */
  readonly stat: string;
  /** The cgroup of this process in the unified hierarchy; null where there is none: cgroups(7). */
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

/** One mount, and which folder it shows. */
export interface MountedFolder extends Mount {
  /** The number of its file system's device, as `8:1`. */
  readonly device: string;
  /** The folder of the file system that is mounted. */
  readonly root: string;
}

/** Reads all facts, with one process. */
export async function kernelFacts(host: Host): Promise<KernelFacts> {
  return parseKernelFacts(await readKernel(host, ...filesOfFacts(host)));
}

/** Returns the files that {@linkcode parseKernelFacts} needs, in this order. */
export function filesOfFacts(host: Host): string[] {
  const own = `/proc/${host.pid()}`;
  return [
    BOOT_ID,
    `${own}/stat`,
    "/proc/uptime",
    `${own}/cgroup`,
    `${own}/mountinfo`,
    `${own}/net/dev`,
  ];
}

/** Returns the facts in a text that begins with these files. */
export function parseKernelFacts(text: string): KernelFacts {
  const [boot = "", stat = ""] = text.split("\n");
  return {
    boot,
    stat,
    uptime: parseUptime(text),
    cgroup: parseCgroup(text),
    mounts: parseMounts(text),
    links: parseLinks(text),
  };
}

/**
 * Prints the line of proc_pid_stat(5) of the nearest ancestor that is GitLab Runner. A wrapper script of that name
 * does not count, since it ends with its stage: its executable is a shell.
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
 * Returns the cgroup in the unified hierarchy from a text that holds `/proc/PID/cgroup`.
 *
 * @returns Its path below the hierarchy's root; null where there is none.
 */
export function parseCgroup(text: string): string | null {
  return text.match(/^0::(\/.*)$/m)?.[1] ?? null;
}

/** Returns the mounts in a text that holds proc_pid_mountinfo(5), in the order in which they were made. */
export function parseMounts(text: string): MountedFolder[] {
  return text.split("\n").flatMap((line) => {
    const [before = "", after] = line.split(" - ");
    const [, , device = "", root = "", point] = before.split(" ");
    const type = after?.split(" ")[0];
    if (point === undefined || type === undefined) return [];
    return [{ point: unescapeOctal(point), type, device, root: unescapeOctal(root) }];
  });
}

/** Returns the seconds since boot in a text that holds `/proc/uptime`: proc_uptime(5). */
function parseUptime(text: string): number | null {
  const seconds = text.match(/^(\d+\.\d\d) \d+\.\d\d$/m)?.[1];
  return seconds === undefined ? null : Number(seconds);
}

/** Returns the interfaces in a text that holds `/proc/PID/net/dev`: proc_pid_net(5). */
function parseLinks(text: string): string[] {
  return [...text.matchAll(/^ *([^\s:\/]+): *\d+ +\d+ /gm)].map(([, name]) => name!);
}

/** Replaces the escapes of mountinfo and fstab(5), three octal digits each. */
export function unescapeOctal(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(parseInt(octal, 8)));
}

/**
 * Returns the type of the file system that holds a path, such as `ext4`.
 *
 * @param path An absolute path without symlinks.
 */
export function fileSystemOf(mounts: readonly Mount[], path: string): string {
  return mountOf(mounts, path)?.type ?? "";
}

/**
 * Returns the mount that holds a path; undefined where none is known.
 *
 * @param path An absolute path without symlinks.
 */
export function mountOf<T extends Mount>(mounts: readonly T[], path: string): T | undefined {
  // The longest mount point holds the path, and of several mounts on it the last one.
  return mounts.filter(({ point }) => isBelow(point, path)).reduce<T | undefined>(
    (best, mount) => mount.point.length >= (best?.point.length ?? 0) ? mount : best,
    undefined,
  );
}

/** Returns whether a path is a folder itself, or lies below it; both are without symlinks. */
export function isBelow(folder: string, path: string): boolean {
  return path === folder || path.startsWith(folder === "/" ? "/" : `${folder}/`);
}

/** Identifies a process for one boot: a process id is used again, but not with the same start time. */
export interface ProcessId {
  readonly pid: number;
  /** Clock ticks from boot to its start: field 22 of proc_pid_stat(5). */
  readonly start: number;
}

/** Returns the identity of a running process; null where it has ended, even if it is not yet reaped. */
export async function identify(host: Host, pid: number): Promise<ProcessId | null> {
  return parseStat(await readKernel(host, `/proc/${pid}/stat`));
}

/** Returns the identity in a line of proc_pid_stat(5); null where the line is empty or the process has ended. */
export function parseStat(stat: string): ProcessId | null {
  // The second field is the program's name in parentheses, which may hold blanks and parentheses.
  const name = stat.lastIndexOf(")");
  const fields = stat.slice(name + 2).split(" ");
  const [state] = fields;
  const pid = parseInt(stat);
  const start = Number(fields[19]);
  if (name === -1 || Number.isNaN(pid) || Number.isNaN(start)) return null;
  const isExiting = (Number(fields[6]) & PF_EXITING) !== 0;
  return isExiting || state === "Z" || state === "X" ? null : { pid, start };
}

/** In field 9. A killed PID 1 has it while the kernel still kills the other processes of its namespace. */
const PF_EXITING = 0x4;

/** Returns whether a process still runs; false also where its process id is in use again. */
export async function isAlive(host: Host, process: ProcessId): Promise<boolean> {
  return (await identify(host, process.pid))?.start === process.start;
}
