/** nspawn by hand on a host whose PID 1 is no systemd: in a cgroup of its own, and asked when ready. */

import { timed } from "./measure.ts";

/** An nspawn that runs. */
export interface Standalone {
  /** The machine's PID 1. */
  readonly leader: number;
  /** Resolves when nspawn itself has ended. */
  readonly ended: Promise<unknown>;
  readonly cgroup: string;
}

/**
 * Starts nspawn and waits until its machine takes commands: nobody hears it say that it is ready.
 *
 * @param name The machine's name.
 * @param argv nspawn's command line.
 * @param env What its environment has besides.
 * @param booted Whether systemd is PID 1 in the machine.
 * @returns What runs.
 */
export async function startStandalone(
  name: string,
  argv: readonly string[],
  env: Record<string, string>,
  booted: boolean,
): Promise<Standalone> {
  const cgroup = `${await cgroupOf("self")}/${name}`;
  await Deno.mkdir(cgroup);
  const [shell = "", ...words] = INTO_CGROUP;
  const child = new Deno.Command(shell, {
    args: [...words, cgroup, ...argv],
    env,
    stdin: "null",
    stdout: "null",
    stderr: "null",
    detached: true,
  }).spawn();
  const leader = await patiently("start", () => leaderOf(child.pid));
  if (booted) await patiently("boot", () => hasBooted(leader));
  else await untilPayload(leader);
  return { leader, ended: child.status, cgroup };
}

/**
 * Waits until an nspawn whose machine was killed is gone, and removes its cgroup.
 *
 * @param standalone What ran.
 */
export async function endStandalone(standalone: Standalone): Promise<void> {
  await standalone.ended;
  const cgroups = [standalone.cgroup, ...await twinsOf(standalone.cgroup)];
  await timed(["find", ...cgroups, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+"]);
}

/**
 * Waits until a machine without an init runs its one command.
 *
 * @param leader Its PID 1.
 */
export async function untilPayload(leader: number): Promise<void> {
  await patiently("run anything", () => hasPayload(leader));
}

/** Looks until there is an answer, a millisecond apart. */
export async function patiently<T>(what: string, look: () => Promise<T | null>): Promise<T> {
  for (let tries = 0; tries < 30_000; tries++) {
    const answer = await look();
    if (answer !== null) return answer;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  throw new Error(`The raw machine does not ${what}`);
}

async function leaderOf(nspawn: number): Promise<number | null> {
  for (const child of await childrenOf(nspawn)) {
    if (/^NSpid:.*\t1$/m.test(await read(`/proc/${child}/status`))) return Number(child);
  }
  return null;
}

async function hasBooted(leader: number): Promise<true | null> {
  const bus = await Deno.lstat(`/proc/${leader}/root/run/dbus/system_bus_socket`).catch(() => null);
  if (bus === null) return null;
  const argv = ["nsenter", `--target=${leader}`, "--all", "--", "systemctl", "is-system-running"];
  const { stdout } = await timed([...argv, "--wait"]);
  return /^(running|degraded)$/m.test(stdout) || null;
}

async function hasPayload(leader: number): Promise<true | null> {
  const names = (await childrenOf(leader)).map((child) => read(`/proc/${child}/comm`));
  return (await Promise.all(names)).includes("sleep\n") || null;
}

async function childrenOf(pid: number): Promise<string[]> {
  return (await read(`/proc/${pid}/task/${pid}/children`)).split(" ").filter(Boolean);
}

/**
 * A process's cgroup in the unified hierarchy: cgroups(7).
 *
 * @param process A pid, or `self`.
 * @returns Its path.
 */
export async function cgroupOf(process: number | "self"): Promise<string> {
  const [root] = await hierarchies("cgroup2");
  const path = (await read(`/proc/${process}/cgroup`)).match(/^0::(\/.*)$/m)?.[1];
  if (root === undefined || path === undefined) throw new Error("No cgroup2 is mounted here");
  return path === "/" ? root : root + path;
}

/** Words that put a command into the cgroup that follows them. */
export const INTO_CGROUP = ["sh", "-c", 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"', "sh"];

/** In a mixed hierarchy nspawn makes the same folders below the mounts of version 1. */
async function twinsOf(cgroup: string): Promise<string[]> {
  const [root = ""] = await hierarchies("cgroup2");
  return (await hierarchies("cgroup")).map((point) => point + cgroup.slice(root.length));
}

async function hierarchies(type: string): Promise<string[]> {
  const lines = (await read("/proc/self/mounts")).split("\n").map((line) => line.split(" "));
  return lines.filter((words) => words[2] === type).map((words) => words[1]!);
}

function read(path: string): Promise<string> {
  return Deno.readTextFile(path).catch(() => ""); // gone meanwhile
}
