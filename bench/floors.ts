/** The floors: a machine made, entered and ended by the commands that a careful person would type. */

import { SCRIPT } from "./driver.ts";
import { succeed } from "./measure.ts";
import {
  cgroupOf,
  endStandalone,
  INTO_CGROUP,
  patiently,
  type Standalone,
  startStandalone,
  untilPayload,
} from "./standalone.ts";
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
  /** The leader's, in the unified hierarchy. */
  readonly cgroup: string;
  /** What keeps it, where that is not systemd. */
  readonly standalone?: Standalone;
}

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
  const argv = nspawn(setup, name, options);
  if (!setup.systemd) {
    const standalone = await startStandalone(name, argv, { [UNIFIED]: "1" }, setup.booted);
    const ms = performance.now() - began;
    const { leader } = standalone;
    return [{ name, leader, cgroup: await cgroupOf(leader), standalone }, ms];
  }
  await succeed([...SYSTEMD_RUN, `--unit=${unitOf(name)}`, ...argv]);
  const leader = await leaderOf(name);
  // nspawn calls a machine without an init ready before anything runs in it.
  if (!setup.booted) await untilPayload(leader);
  const ms = performance.now() - began;
  return [{ name, leader, cgroup: await cgroupOf(leader) }, ms];
}

/** From machined's record: asking machinectl would cost the floor a process. */
async function leaderOf(name: string): Promise<number> {
  const record = await Deno.readTextFile(`/run/systemd/machines/${name}`);
  return Number(record.match(/^LEADER=(\d+)$/m)?.[1]);
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
 * Runs the script by nsenter, in the machine's cgroup: elsewhere no limit of the machine binds it.
 *
 * @param machine Any machine.
 * @returns Milliseconds.
 */
export async function enterRaw(machine: RawMachine): Promise<number> {
  const argv = [...INTO_CGROUP, machine.cgroup, ...enter(machine.leader), "/bin/bash"];
  return (await succeed(argv, { stdin: SCRIPT })).ms;
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
  if (machine.standalone !== undefined) await endStandalone(machine.standalone);
  else await patiently("go", () => isGone(machine.name));
  await closeStorage(setup.storage, `${setup.folder}/${machine.name}`);
  return performance.now() - began;
}

/** Both files go with what they stand for: machined's record, and the unit once it is unloaded. */
async function isGone(name: string): Promise<true | null> {
  const files = [`/run/systemd/machines/${name}`, `/run/systemd/transient/${unitOf(name)}`];
  const looks = files.map((path) => Deno.lstat(path).then(() => false, () => true));
  return (await Promise.all(looks)).every(Boolean) || null;
}
