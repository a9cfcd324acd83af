/** nspawn by hand on a host without systemd as PID 1, in its own cgroup, polled until it is ready. */

import { cgroupOf, INTO_CGROUP, twinsOf } from "./cgroups.ts";
import { timed } from "./measure.ts";

/** A running nspawn process. */
export interface Standalone {
  /** The machine's PID 1. */
  readonly leader: number;
  /** Resolves when nspawn itself has ended. */
  readonly ended: Promise<unknown>;
  readonly cgroup: string;
}

/**
 * Starts nspawn and polls until its machine accepts commands, since nothing receives its notification.
 *
 * @param env Added to the environment.
 * @param booted Whether systemd is PID 1 in the machine.
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
  const leader = await poll("start", () => leaderOf(child.pid));
  if (booted) await poll("boot", () => hasBooted(leader));
  else await untilPayload(leader);
  return { leader, ended: child.status, cgroup };
}

/** Waits until nspawn has ended after its machine was killed, and removes its cgroup. */
export async function endStandalone(standalone: Standalone): Promise<void> {
  await standalone.ended;
  const cgroups = [standalone.cgroup, ...await twinsOf(standalone.cgroup)];
  await timed(["find", ...cgroups, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+"]);
}

/** Waits until a machine without an init runs its command. */
export async function untilPayload(leader: number): Promise<void> {
  await poll("run anything", () => hasPayload(leader));
}

/** Calls a function every millisecond until it returns a value. */
export async function poll<T>(what: string, look: () => Promise<T | null>): Promise<T> {
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

function read(path: string): Promise<string> {
  return Deno.readTextFile(path).catch(() => ""); // the process has ended
}
