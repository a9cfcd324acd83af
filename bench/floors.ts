/** The floors: a machine made, entered and ended by the commands that a careful person would type. */

import { denoHost } from "../src/host/deno_host.ts";
import { cgroupOf, childrenOf, identify } from "../src/machines/process.ts";
import { mounts } from "../src/machines/storage/mounts.ts";
import { removeCgroup } from "../src/machines/supervisor/cgroup.ts";
import { SCRIPT } from "./driver.ts";
import { succeed, timed } from "./measure.ts";
import { closeStorage, openStorage, type StorageKind } from "./storage.ts";

/** What all floors share. */
export interface Setup {
  /** Whether systemd is PID 1 on this host. */
  readonly systemd: boolean;
  readonly storage: StorageKind;
  readonly chroot: string;
  /** Where the writes of machines go. */
  readonly folder: string;
  /** Whether systemd is PID 1 in the machine. */
  readonly booted: boolean;
}

/** A raw machine that runs. */
export interface RawMachine {
  readonly name: string;
  readonly leader: number;
  /** Resolves when nspawn itself has ended, where it is our child. */
  readonly ended: Promise<unknown> | undefined;
  readonly cgroup: string | undefined;
}

const host = denoHost();

/** nspawn's variable for hosts whose own cgroup hierarchy is a mixed one; no difference elsewhere. */
const UNIFIED = "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY";

const unitOf = (name: string) => `${name}.service`;

/**
 * Starts a machine and waits until it takes commands.
 *
 * @param setup The floors.
 * @param name The machine's name.
 * @returns The machine, and the time that starting it took: storage included.
 */
export async function bootRaw(setup: Setup, name: string): Promise<[RawMachine, number]> {
  const began = performance.now();
  const folder = `${setup.folder}/${name}`;
  await Deno.mkdir(folder);
  const options = await openStorage(setup.storage, setup.chroot, folder);
  if (!setup.systemd) return await bootStandalone(setup, name, options, began);
  await succeed([...SYSTEMD_RUN, `--unit=${unitOf(name)}`, ...nspawn(setup, name, options)]);
  const ms = performance.now() - began;
  const { stdout } = await succeed(["machinectl", "show", name, "--property=Leader", "--value"]);
  return [{ name, leader: Number(stdout.trim()), ended: undefined, cgroup: undefined }, ms];
}

/** The unit of systemd-nspawn@.service in the transient form, with a job's usual limits. */
const SYSTEMD_RUN = [
  "systemd-run",
  "--quiet",
  "--collect",
  "--slice=machine.slice",
  "--property=Type=notify",
  "--property=KillMode=mixed",
  "--property=Delegate=yes",
  "--property=TasksMax=16384",
  "--property=CPUWeight=50",
  `--setenv=${UNIFIED}=1`,
];

function nspawn(setup: Setup, name: string, options: readonly string[]): string[] {
  return [
    "systemd-nspawn",
    "--quiet",
    "--keep-unit",
    ...(setup.systemd ? [] : ["--register=no"]),
    `--machine=${name}`,
    "--console=pipe",
    "--link-journal=no",
    "--suppress-sync=yes",
    ...options,
    ...(setup.booted ? ["--boot", "--notify-ready=yes"] : ["--as-pid2", "sleep", "infinity"]),
  ];
}

/** Without systemd nobody hears nspawn say that it is ready: the machine is asked. */
async function bootStandalone(
  setup: Setup,
  name: string,
  options: readonly string[],
  began: number,
): Promise<[RawMachine, number]> {
  const cgroup = await ownCgroup(name);
  const child = new Deno.Command("sh", {
    args: ["-c", ENTER, "sh", cgroup, ...nspawn(setup, name, options)],
    env: { [UNIFIED]: "1" },
    stdin: "null",
    stdout: "null",
    stderr: "null",
    detached: true,
  }).spawn();
  const leader = await leaderOf(child.pid);
  await (setup.booted ? untilBooted(leader) : untilPayload(leader));
  return [{ name, leader, ended: child.status, cgroup }, performance.now() - began];
}

const ENTER = 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"';

async function ownCgroup(name: string): Promise<string> {
  const root = (await mounts(host)).find(({ type }) => type === "cgroup2")?.point;
  const cgroup = `${root}${await cgroupOf(host, "self")}/${name}`;
  await Deno.mkdir(cgroup);
  return cgroup;
}

async function leaderOf(nspawn: number): Promise<number> {
  for (let tries = 0; tries < PATIENCE; tries++) {
    for (const child of await childrenOf(host, nspawn)) {
      const status = await host.files.read(`/proc/${child}/status`).catch(() => null);
      if (status?.match(/^NSpid:.*\t1$/m)) return child;
    }
    await pause();
  }
  throw new Error("The raw machine does not start");
}

async function untilBooted(leader: number): Promise<void> {
  const bus = `/proc/${leader}/root/run/dbus/system_bus_socket`;
  for (let tries = 0; tries < PATIENCE; tries++) {
    if (await host.files.lstat(bus).catch(() => null) !== null) {
      const asked = await timed([...enter(leader), "systemctl", "is-system-running", "--wait"]);
      if (/^(running|degraded)$/m.test(asked.stdout)) return;
    }
    await pause();
  }
  throw new Error("The raw machine does not boot");
}

async function untilPayload(leader: number): Promise<void> {
  for (let tries = 0; tries < PATIENCE; tries++) {
    for (const child of await childrenOf(host, leader)) {
      if (await host.files.read(`/proc/${child}/comm`).catch(() => null) === "sleep\n") return;
    }
    await pause();
  }
  throw new Error("The raw machine runs nothing");
}

/** Looks, a millisecond apart, before a floor is given up. */
const PATIENCE = 30_000;

const pause = () => new Promise((resolve) => setTimeout(resolve, 1));

const enter = (leader: number) => ["nsenter", `--target=${leader}`, "--all", "--"];

/**
 * Runs the script through the machine's own systemd.
 *
 * @param setup The floors.
 * @param machine A booted machine.
 * @returns Milliseconds.
 */
export async function execRaw(setup: Setup, machine: RawMachine): Promise<number> {
  const run = ["--quiet", "--pipe", "--wait", "--collect", "/bin/bash"];
  const argv = setup.systemd
    ? ["systemd-run", `--machine=${machine.name}`, ...run]
    : [...enter(machine.leader), "systemd-run", ...run];
  return (await succeed(argv, { stdin: SCRIPT })).ms;
}

/**
 * Runs the script by nsenter.
 *
 * @param machine Any machine.
 * @returns Milliseconds.
 */
export async function enterRaw(machine: RawMachine): Promise<number> {
  return (await succeed([...enter(machine.leader), "/bin/bash"], { stdin: SCRIPT })).ms;
}

/** How a raw machine is ended. */
export type End = "kill" | "terminate";

/**
 * Ends a machine, waits until nothing of it is left, and removes its writes.
 *
 * @param setup The floors.
 * @param machine The machine.
 * @param end By SIGKILL to its PID 1, or as machinectl does.
 * @returns Milliseconds.
 */
export async function endRaw(setup: Setup, machine: RawMachine, end: End): Promise<number> {
  const began = performance.now();
  if (end === "terminate") await succeed(["machinectl", "terminate", machine.name]);
  else Deno.kill(machine.leader, "SIGKILL");
  if (machine.cgroup === undefined) await untilGone(machine.name);
  else {
    await machine.ended;
    await removeCgroup(host, machine.cgroup);
  }
  await closeStorage(setup.storage, `${setup.folder}/${machine.name}`);
  return performance.now() - began;
}

/** Both files go with what they stand for: machined's record, and the unit once it is unloaded. */
async function untilGone(name: string): Promise<void> {
  const files = [`/run/systemd/machines/${name}`, `/run/systemd/transient/${unitOf(name)}`];
  for (let tries = 0; tries < PATIENCE; tries++) {
    const left = await Promise.all(files.map((path) => host.files.lstat(path)));
    if (left.every((stat) => stat === null)) return;
    await pause();
  }
  throw new Error(`The raw machine ${name} does not go`);
}

/**
 * Whether a process is there, for those who check that a machine is gone.
 *
 * @param pid Its id.
 * @returns False when it has ended.
 */
export async function isRunning(pid: number): Promise<boolean> {
  return await identify(host, pid) !== null;
}
