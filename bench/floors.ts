/** The floors: a machine that is started, entered and ended by commands as a careful person would type them. */

import { cgroupOf } from "./cgroups.ts";
import { checkOutput, type Driver, type Job, type Kind, SCRIPT } from "./driver.ts";
import { succeed } from "./measure.ts";
import {
  endStandalone,
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
}

/** A running machine that was started by hand. */
interface RawMachine {
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

/** Returns the driver of machines that are started, entered and ended by hand. */
export function raw(setup: Setup, kind: Kind): Driver {
  return {
    label: `raw ${kind}`,
    kind,
    open: (id) => Promise.resolve(jobOf(setup, `bench-${id}`, kind === "booted")),
  };
}

function jobOf(setup: Setup, name: string, booted: boolean): Job {
  let machine: RawMachine | undefined;
  return {
    prepare: async () => {
      const began = performance.now();
      machine = await start(setup, name, booted);
      return performance.now() - began;
    },
    run: () => enter(machine!),
    cleanup: async () => machine === undefined ? 0 : await end(setup, machine),
  };
}

/** Starts a machine, with its storage, and waits until it accepts commands. */
async function start(setup: Setup, name: string, booted: boolean): Promise<RawMachine> {
  const folder = `${setup.folder}/${name}`;
  await Deno.mkdir(folder);
  const options = await openStorage(setup.storage, setup.chroot, folder);
  const argv = nspawn(setup, name, options, booted);
  if (!setup.systemd) {
    const standalone = await startStandalone(name, argv, { [UNIFIED]: "1" }, booted);
    const { leader } = standalone;
    return { name, leader, cgroup: await cgroupOf(leader), standalone };
  }
  await succeed([...SYSTEMD_RUN, `--unit=${unitOf(name)}`, ...argv]);
  const leader = await leaderOf(name);
  // nspawn reports a machine without an init as ready before its command runs.
  if (!booted) await untilPayload(leader);
  return { name, leader, cgroup: await cgroupOf(leader) };
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

function nspawn(
  setup: Setup,
  name: string,
  options: readonly string[],
  booted: boolean,
): string[] {
  return [
    "systemd-nspawn",
    "--quiet",
    "--keep-unit",
    ...(setup.systemd ? [] : ["--register=no"]),
    `--machine=${name}`,
    "--console=pipe",
    "--link-journal=no",
    ...options,
    ...(booted ? ["--boot", "--notify-ready=yes"] : ["--as-pid2", "sleep", "infinity"]),
  ];
}

/** Waits in a cgroup until a line comes, then runs a command; the cgroup's path and the command follow. */
const WAITING = [
  ...["sh", "-c", 'echo $$ >"$1/cgroup.procs" && shift && echo waits && read -r line && exec "$@"'],
  "sh",
];

/** Runs the script by an nsenter(1) that waits in the machine's cgroup, so that the machine's limits apply. */
async function enter({ leader, cgroup }: RawMachine): Promise<number> {
  const [program, ...words] = WAITING;
  const child = new Deno.Command(program!, {
    args: [...words, cgroup, "nsenter", `--target=${leader}`, "--all", "--", "/bin/bash"],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  await output.read();
  const began = performance.now();
  const input = child.stdin.getWriter();
  await input.write(new TextEncoder().encode(`now\n${SCRIPT}`));
  await input.close();
  let stdout = "";
  for (let piece = await output.read(); !piece.done; piece = await output.read()) {
    stdout += piece.value;
  }
  await child.status;
  const ms = performance.now() - began;
  checkOutput("nsenter", stdout);
  return ms;
}

/**
 * Ends a machine by SIGKILL to its PID 1, which ends when no other process is left, and removes what is left.
 *
 * @returns Milliseconds until PID 1 has ended.
 */
async function end(setup: Setup, machine: RawMachine): Promise<number> {
  const began = performance.now();
  Deno.kill(machine.leader, "SIGKILL");
  await poll("end", () => isMissing(`/proc/${machine.leader}`));
  const ms = performance.now() - began;
  if (machine.standalone !== undefined) await endStandalone(machine.standalone);
  else await poll("go", () => isGone(machine.name));
  await closeStorage(setup.storage, `${setup.folder}/${machine.name}`);
  return ms;
}

/** machined's record goes with the machine, the file of a transient unit when the unit is unloaded. */
async function isGone(name: string): Promise<true | null> {
  const files = [`/run/systemd/machines/${name}`, `/run/systemd/transient/${unitOf(name)}`];
  return (await Promise.all(files.map(isMissing))).every(Boolean) || null;
}

async function isMissing(path: string): Promise<true | null> {
  return await Deno.lstat(path).then(() => null, () => true);
}
