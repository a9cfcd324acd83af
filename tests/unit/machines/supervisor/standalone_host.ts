/** A recording host without systemd, whose /run is a folder of the test. */

import type { Host } from "../../../../src/host/host.ts";
import { BOOT_ID } from "../../../../src/linux/proc.ts";
import { type Answer, type Recording, recordingHost } from "../../recording_host.ts";

/** What the kernel says where a test says nothing else: the facts of boot-1. */
export const FACTS = `boot-1
42 (deno) S ${Array(18).fill("0").join(" ")} 5 0
0::/
25 21 0:42 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw
`;

/** A line of proc_pid_stat(5) of a process that runs. */
export function statOf(pid: number, start: number): string {
  return `${pid} (x) S ${Array(18).fill("0").join(" ")} ${start} 0\n`;
}

/** What the kernel says when it is asked for one process that runs, with the boot's id where asked. */
export function aliveAnswer(argv: readonly string[], pid: number, start: number): Answer | void {
  if (argv[0] !== "cat" || !argv.includes(`/proc/${pid}/stat`)) return;
  const boot = argv.includes(BOOT_ID) ? "boot-1\n" : "";
  return { stdout: boot + statOf(pid, start) };
}

/**
 * Makes such a host.
 *
 * @param folder The test's folder.
 * @param answer What processes answer; the kernel's facts come by themselves.
 * @returns The host and its record.
 */
export function standaloneHost(
  folder: string,
  answer: (argv: readonly string[]) => Answer | void | Promise<Answer | void>,
): Recording {
  const recording = recordingHost({
    answer: (argv) => answer(argv) ?? (argv[0] === "cat" ? { stdout: FACTS } : {}),
  });
  return { ...recording, host: withOwnRun(recording.host, folder) };
}

/**
 * A host whose /run is a folder of the test: that of the machine that runs it may be anybody's.
 *
 * @param host All the rest.
 * @param folder The test's folder.
 * @returns The host.
 */
export function withOwnRun(host: Host, folder: string): Host {
  const { files } = host;
  const move = (path: string) => path.startsWith("/run/") ? folder + path : path;
  return {
    ...host,
    files: {
      ...files,
      read: (path) => files.read(move(path)),
      write: (path, content, mode) => files.write(move(path), content, mode),
      replace: (path, text, mode) => files.replace(move(path), text, mode),
      makeDirectory: (path, mode) => files.makeDirectory(move(path), mode),
      list: (path) => files.list(move(path)),
      lstat: (path) => files.lstat(move(path)),
      remove: (path) => files.remove(move(path)),
      removeTree: (path) => files.removeTree(move(path)),
      lock: (path) => files.lock(move(path)),
      symlink: (target, path) => files.symlink(target, move(path)),
    },
  };
}
