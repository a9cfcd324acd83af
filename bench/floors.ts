/** The floors: a machine that is started, entered and ended by commands as a careful person would type them. */

import { SCRIPT } from "./driver.ts";
import { succeed } from "./measure.ts";
import {
  cgroupOf,
  endStandalone,
  INTO_CGROUP,
  poll,
  type Standalone,
  startStandalone,
  untilPayload,
} from "./standalone.ts";
import { closeStorage, openStorage, type StorageKind } from "./storage.ts";

/** The setup of all floors. */
export interface Setup {
  /** Whether systemd is PID 1 on this host. */
  readonly systemd: boolean;
  readonly storage: StorageKind;
  readonly chroot: string;
  /** Path of the folder for the machines' writes. */
  readonly folder: string;
  /** Whether systemd is PID 1 in the machine. */
  readonly booted: boolean;
}

/** A running machine that was started by hand. */
export interface RawMachine {
  readonly name: string;
  readonly leader: number;
  /** Path of its PID 1's cgroup. */
  readonly cgroup: string;
  /** Its nspawn process on hosts without systemd. */
  readonly standalone?: Standalone;
}

/** nspawn's variable that matters on hosts with a hybrid cgroup hierarchy. */
const UNIFIED = "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY";

const unitOf = (name: string) => `${name}.service`;

/**
 * Starts a machine and waits until it accepts commands.
 *
 * @returns The machine, and the milliseconds until then, including the storage.
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
  // nspawn reports a machine without an init as ready before its command runs.
  if (!setup.booted) await untilPayload(leader);
  const ms = performance.now() - began;
  return [{ name, leader, cgroup: await cgroupOf(leader) }, ms];
}

/** Reads PID 1 from machined's record: machinectl(1) would be one process more. */
async function leaderOf(name: string): Promise<number> {
  const record = await Deno.readTextFile(`/run/systemd/machines/${name}`);
  return Number(record.match(/^LEADER=(\d+)$/m)?.[1]);
}

/** Starts a transient unit like systemd-nspawn@.service, with usual limits of a job. */
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
    ...options,
    ...(setup.booted ? ["--boot", "--notify-ready=yes"] : ["--as-pid2", "sleep", "infinity"]),
  ];
}

const enter = (leader: number) => ["nsenter", `--target=${leader}`, "--all", "--"];

/** Runs the script by the systemd of a booted machine; returns milliseconds. */
export async function execRaw(setup: Setup, machine: RawMachine): Promise<number> {
  const run = ["--quiet", "--pipe", "--wait", "--collect", "/bin/bash"];
  const argv = setup.systemd
    ? ["systemd-run", `--machine=${machine.name}`, ...run]
    : [...enter(machine.leader), "systemd-run", ...run];
  return (await succeed(argv, { stdin: SCRIPT })).ms;
}

/** Runs the script by nsenter(1), in the machine's cgroup so that its limits apply; returns milliseconds. */
export async function enterRaw(machine: RawMachine): Promise<number> {
  const argv = [...INTO_CGROUP, machine.cgroup, ...enter(machine.leader), "/bin/bash"];
  return (await succeed(argv, { stdin: SCRIPT })).ms;
}

/** How a machine is ended. */
export type End = "kill" | "terminate";

/**
 * Ends a machine, by SIGKILL to its PID 1 or by machinectl(1), waits until nothing of it is left, and removes its writes.
 *
 * @returns Milliseconds.
 */
export async function endRaw(setup: Setup, machine: RawMachine, end: End): Promise<number> {
  const began = performance.now();
  if (end === "terminate") await succeed(["machinectl", "terminate", machine.name]);
  else Deno.kill(machine.leader, "SIGKILL");
  if (machine.standalone !== undefined) await endStandalone(machine.standalone);
  else await poll("go", () => isGone(machine.name));
  await closeStorage(setup.storage, `${setup.folder}/${machine.name}`);
  return performance.now() - began;
}

/** machined's record goes with the machine, the file of a transient unit when the unit is unloaded. */
async function isGone(name: string): Promise<true | null> {
  const files = [`/run/systemd/machines/${name}`, `/run/systemd/transient/${unitOf(name)}`];
  const looks = files.map((path) => Deno.lstat(path).then(() => false, () => true));
  return (await Promise.all(looks)).every(Boolean) || null;
}
