/** Hosts that the tests run the program on. */

import { type Options, type Result, type Running, start } from "./command.ts";
import type { Folder } from "./folder.ts";

/** The two kinds: systemd is PID 1, or it is not. */
export type HostKind = "systemd" | "standalone";

/** A host. */
export interface TestHost {
  readonly kind: HostKind;
  /** Its own store on a disk, as a path of the host. */
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
  /** Where a path of the host is for the tests themselves. */
  outside(path: string): string;
  /** Pids of all that runs on it, as the tests see them. */
  processes(): Promise<number[]>;
  /** Ends it; nothing of it is left. */
  close(): Promise<void>;
}

/** A host that already runs: PID 1 of its own, with its namespaces. */
export interface Inside {
  readonly kind: HostKind;
  readonly store: string;
  readonly btrfs: string | null;
  /** Its PID 1 as seen from here. */
  readonly leader: number;
  /** Options of nsenter(1). */
  readonly namespaces: readonly string[];
  /** Where its processes are put. */
  readonly cgroup: string;
}

const ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  HOME: "/root",
  LANG: "C.UTF-8",
};

/**
 * The ways into a host.
 *
 * @param folder Its outer side.
 * @param inside What runs.
 * @returns The host.
 */
export function hostOf(folder: Folder, inside: Inside): TestHost {
  const { kind, store, btrfs, leader, namespaces, cgroup } = inside;
  const startInside = (argv: readonly string[], options: Options = {}) => {
    const { env, cwd, ...more } = options;
    const words = [
      ...["sh", "-c", 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"', "sh", cgroup],
      ...["nsenter", `--target=${leader}`, ...namespaces, "--"],
      // env(1) of the host sets the folder: the outer one need not have it.
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
    outside: (path) => `/proc/${leader}/root${path}`,
    processes: () => processesOf(folder.cgroup),
    close: folder.close,
  };
}

/** nsenter itself belongs to the group: it waits outside, and knows no signal of ours. */
async function groupOf(leader: number): Promise<number[]> {
  const pids: number[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await Deno.readTextFile(`/proc/${name}/stat`).catch(() => ""); // it just ended
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
    // It ended by itself.
  }
}

async function processesOf(cgroup: string): Promise<number[]> {
  const pids: number[] = [];
  const listed = await Deno.readTextFile(`${cgroup}/cgroup.procs`).catch(() => "");
  pids.push(...listed.split("\n").filter(Boolean).map(Number));
  const entries = await Array.fromAsync(Deno.readDir(cgroup)).catch(() => []); // it is gone
  for (const { name, isDirectory } of entries) {
    if (isDirectory) pids.push(...await processesOf(`${cgroup}/${name}`));
  }
  return pids;
}
