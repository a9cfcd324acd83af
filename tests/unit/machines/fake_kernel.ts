/** A fake kernel for unit tests: the files that the program reads by cat(1) from /proc and /sys. */

import { BOOT_ID } from "../../../src/linux/proc.ts";
import { SURVEY_SCRIPT } from "../../../src/machines/start/survey.ts";
import type { Answer } from "../recording_host.ts";

/** Contents by path; a function is called at each read. */
export type KernelFiles = Readonly<Record<string, string | (() => string)>>;

/**
 * Answers cat(1), and the survey of the host, with the contents of these files, one after the other; files that do not exist
 * are left out.
 */
export function answerCat(argv: readonly string[], files: KernelFiles): Answer | void {
  const isSurvey = argv[2] === SURVEY_SCRIPT;
  if (argv[0] !== "cat" && !isSurvey) return;
  const contents = argv.slice(1).map((path) => {
    const content = files[path] ?? "";
    return typeof content === "string" ? content : content();
  });
  return { stdout: contents.join("") + (isSurvey ? "\nrunner\n" : "") };
}

const MOUNTS = "25 21 0:42 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";

/** The host's own files in the boot `boot-1`, and those of the program, which is process 42. */
export const HOST_FILES: KernelFiles = {
  [BOOT_ID]: "boot-1\n",
  "/proc/sys/kernel/cap_last_cap": "40\n",
  "/proc/self/mountinfo": MOUNTS,
  "/proc/42/stat": statOf(42, 5),
  "/proc/42/cgroup": "0::/\n",
  "/proc/42/mountinfo": MOUNTS,
};

/** Returns the line of proc_pid_stat(5) of a running process. */
export function statOf(pid: number, start: number): string {
  return `${pid} (x) S ${Array(18).fill("0").join(" ")} ${start} 0\n`;
}

/** A running process, which is PID 1 of a machine where `isInit` is set. */
export interface FakeProcess {
  readonly pid: number;
  readonly start: number;
  readonly isInit: boolean;
  /** CapBnd of proc_pid_status(5); default: all capabilities. */
  readonly bounding?: string;
  /** Asked at each read of its status. */
  readonly noNewPrivileges?: () => boolean;
}

/** Returns the files below /proc of a process in the cgroup `/m`, whose system calls are filtered. */
export function processFiles(
  { pid, start, isInit, bounding = "1ffffffffff", noNewPrivileges }: FakeProcess,
): KernelFiles {
  const status = () =>
    `NSpid:\t${pid}${isInit ? "\t1" : ""}\nCapBnd:\t${bounding}\n` +
    `NoNewPrivs:\t${noNewPrivileges?.() ? 1 : 0}\nSeccomp:\t2\n`;
  return {
    [`/proc/${pid}/stat`]: statOf(pid, start),
    [`/proc/${pid}/status`]: status,
    [`/proc/${pid}/cgroup`]: "0::/m\n",
    [`/proc/${pid}/uid_map`]: "0 0 4294967295\n",
  };
}

/** Returns the files of the processes that a recording host starts, as nspawn with these children. */
export function nspawnFiles(children: string): KernelFiles {
  const files: Record<string, string> = {};
  for (let pid = 1000; pid < 1100; pid++) {
    files[`/proc/${pid}/stat`] = statOf(pid, 1);
    files[`/proc/${pid}/task/${pid}/children`] = children;
  }
  return files;
}
