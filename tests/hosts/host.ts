/** Hosts on which the tests run the program. */

import { type Options, type Result, type Running, start } from "./command.ts";
import type { Folder } from "./folder.ts";

/** Whether systemd is PID 1. */
export type HostKind = "systemd" | "standalone";

/** A host of the tests. Paths are its own. */
export interface TestHost {
  readonly kind: HostKind;
  /** Path of its store, on a disk. */
  readonly store: string;
  /** A folder on btrfs, or null where none can be mounted. */
  readonly btrfs: string | null;
  /** Runs a command to its end, as root, with a plain environment. */
  exec(argv: readonly string[], options?: Options): Promise<Result>;
  /** Starts a command. */
  start(argv: readonly string[], options?: Options): Running;
  /** Signals a command's process group, as GitLab Runner does. */
  signal(running: Running, signal: Deno.Signal): Promise<void>;
  /** Signals the command alone, and none of its children. */
  signalAlone(running: Running, signal: Deno.Signal): Promise<void>;
  /** Returns the path by which the tests themselves reach a path of the host. */
  outerPath(path: string): string;
  /** Path of the cgroup of all its processes, as the tests see it. */
  readonly cgroup: string;
  /** Returns the pids of its processes, as the tests see them. */
  processes(): Promise<number[]>;
  /** Ends and removes it. */
  close(): Promise<void>;
}

/** A running host: its PID 1, with namespaces of its own. */
export interface RunningHost {
  readonly kind: HostKind;
  readonly store: string;
  readonly btrfs: string | null;
  /** Pid of its PID 1, as the tests see it. */
  readonly leader: number;
  /** Options of nsenter(1) that enter them. */
  readonly namespaces: readonly string[];
  /** Path of the cgroup for commands. */
  readonly cgroup: string;
}

const ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  HOME: "/root",
  LANG: "C.UTF-8",
};

/** Returns the interface of a running host. */
export function hostOf(folder: Folder, inside: RunningHost): TestHost {
  const { kind, store, btrfs, leader, namespaces, cgroup } = inside;
  const startInside = (argv: readonly string[], options: Options = {}) => {
    const { env, cwd, ...more } = options;
    const words = [
      ...["sh", "-c", 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"', "sh", cgroup],
      ...["nsenter", `--target=${leader}`, ...namespaces, "--"],
      // Changes the folder by the host's env(1), since the folder may exist only there.
      ...["env", `--chdir=${cwd ?? "/"}`, "--", ...argv],
    ];
    return start(words, { ...more, env: { ...ENVIRONMENT, ...env } });
  };
  return {
    kind,
    store,
    btrfs,
    start: startInside,
    exec: (argv, options) => startInside(argv, options).ended,
    signal: async ({ pid: nsenter }, signal) => {
      for (const pid of await groupOf(nsenter)) if (pid !== nsenter) kill(pid, signal);
    },
    signalAlone: async ({ pid: nsenter }, signal) => {
      for (const pid of await childrenOf(nsenter)) kill(pid, signal);
    },
    outerPath: (path) => `/proc/${leader}/root${path}`,
    cgroup: folder.cgroup,
    processes: () => processesOf(folder.cgroup),
    close: folder.close,
  };
}

/** Returns the processes of a group, among them nsenter(1), which waits outside of the host. */
async function groupOf(leader: number): Promise<number[]> {
  const pids: number[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await Deno.readTextFile(`/proc/${name}/stat`).catch(() => ""); // it has just ended
    const group = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[2];
    if (Number(group) === leader) pids.push(Number(name));
  }
  return pids;
}

async function childrenOf(pid: number): Promise<number[]> {
  const children = await Deno.readTextFile(`/proc/${pid}/task/${pid}/children`).catch(() => "");
  return children.split(" ").filter((word) => word !== "").map(Number);
}

function kill(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch {
    // It has already ended.
  }
}

async function processesOf(cgroup: string): Promise<number[]> {
  const pids: number[] = [];
  const listed = await Deno.readTextFile(`${cgroup}/cgroup.procs`).catch(() => "");
  pids.push(...listed.split("\n").filter(Boolean).map(Number));
  const entries = await Array.fromAsync(Deno.readDir(cgroup)).catch(() => []); // it has ended
  for (const { name, isDirectory } of entries) {
    if (isDirectory) pids.push(...await processesOf(`${cgroup}/${name}`));
  }
  return pids;
}
