/** Keeps machines alive by transient units of systemd, registered with systemd-machined. */

import { hostFailure } from "../../failure.ts";
import type { Argv, Host } from "../../host/host.ts";
import { MINIMAL_ENVIRONMENT } from "../../linux/nsenter.ts";
import { aboveMachine, PAYLOAD } from "../../linux/nspawn.ts";
import { removeExportMount } from "../../linux/nspawn_leftovers.ts";
import { isSystemdHost } from "../../linux/systemd.ts";
import { until } from "../../linux/wait.ts";
import type { Lease } from "../record/lease.ts";
import { STOP_TIMEOUT, type Supervisor } from "./supervisor.ts";
import { hasUnit, isGone, journal, readRecord, recordedPid, unitOf } from "./unit.ts";

/** Longest wait for the unit of a lost machine to be gone, in milliseconds. */
const UNIT_GONE_TIMEOUT = 2_000;

/** SD_MESSAGE_UNIT_OUT_OF_MEMORY of sd-messages.h: a process of a unit was killed for lack of memory. */
const OUT_OF_MEMORY_MESSAGE = "fe6faa94e7774663a0da52717891d8ef";

/** One transient unit per machine, whose limits apply to all processes of the machine. */
export const systemd: Supervisor = {
  kind: "systemd",
  enforcesLimits: true,
  cgroupsFor: () => [],
  async start(host, spec, lease, signal) {
    await waitForPredecessor(host, spec.name, signal);
    const { startMachineUnit } = await import("./start_unit.ts");
    return await startMachineUnit(host, spec, lease, signal);
  },
  isAlive,
  async ranOutOfMemory(host, lease, since) {
    // systemd logs the kill before the unit is gone.
    await until(host, { timeout: UNIT_GONE_TIMEOUT }, () => isGone(host, lease.machine));
    await host.processes.capture(["journalctl", "--sync"]);
    const matches = [
      "_PID=1",
      `UNIT=${unitOf(lease.machine)}`,
      `MESSAGE_ID=${OUT_OF_MEMORY_MESSAGE}`,
    ];
    return await journal(host, since, ...matches) !== "";
  },
  stop: (host, lease) => stopUnit(host, lease.machine),
  async kill(host, lease, background) {
    const { machine, leader } = lease;
    const unit = aboveMachine(leader?.cgroup ?? "");
    if (!unit.endsWith(`/${unitOf(machine)}`) || !await isAlive(host, lease)) return null;
    const words = [`${unit}/${PAYLOAD}`, unitOf(machine), `${leader!.pid}`, ...background];
    // One process for both: to start one takes as long as to kill a machine.
    host.processes.start(["sh", "-c", KILL_SCRIPT, "sh", ...words], {
      env: MINIMAL_ENVIRONMENT,
      cwd: "/",
      stdout: "null",
      stderr: "null",
      detached: true,
    }).unref();
    return async () => {
      // nspawn tells machined when it has reaped PID 1, which ends last. A machined that has ended tells nothing.
      const isOver = async () =>
        await readRecord(host, machine) === null || !await hasUnit(host, machine);
      return await until(host, { timeout: STOP_TIMEOUT, interval: KILL_INTERVAL }, isOver) &&
        await readRecord(host, machine) === null;
    };
  },
};

/** Milliseconds between two looks whether a killed machine has ended. */
const KILL_INTERVAL = 2;

async function isAlive(host: Host, { machine, leader }: Lease): Promise<boolean> {
  // A machined that ended with the host's D-Bus keeps records of machines that have ended since.
  return leader !== null && await recordedPid(host, machine) === leader.pid &&
    await hasUnit(host, machine);
}

/** cleanup does not wait until nspawn has ended: the job may be prepared again before that. */
async function waitForPredecessor(
  host: Host,
  machine: string,
  signal: AbortSignal,
): Promise<void> {
  if (!await hasUnit(host, machine)) return;
  await until(host, { timeout: STOP_TIMEOUT, signal }, async () => !await hasUnit(host, machine));
  await stopUnit(host, machine);
  await removeExportMount(host, machine);
}

/**
 * Ends a machine's unit and waits until it is gone; succeeds also where it never existed.
 *
 * @throws {Failure} `host` where it does not end.
 */
export async function stopUnit(host: Host, machine: string): Promise<void> {
  // nspawn removes its mounts only where the machine's PID 1 ends first.
  if (await killInitProcess(host, machine)) {
    if (await until(host, { timeout: STOP_TIMEOUT }, () => isGone(host, machine))) return;
  }
  await killUnit(host, machine);
}

/** Returns the names of the machines that have a unit; none where systemd is not PID 1. */
export async function listUnits(host: Host): Promise<string[]> {
  if (!await isSystemdHost(host)) return [];
  const { stdout } = await host.processes.capture([
    "systemctl",
    "list-units",
    "--all",
    "--plain",
    "--no-legend",
    "--full",
    unitOf("run-*"),
    unitOf("service-*"),
  ]);
  return [...stdout.matchAll(/^nspawn-runner-(\S+)\.service /gm)].map(([, name]) => name!);
}

async function killInitProcess(host: Host, machine: string): Promise<boolean> {
  const pid = await recordedPid(host, machine);
  if (pid === null) return false;
  const argv: Argv = ["sh", "-c", KILL_IN_UNIT_SCRIPT, "sh", unitOf(machine), `${pid}`];
  return (await host.processes.capture(argv)).code === 0;
}

/**
 * Kills a process if it is one of a unit: the process id in an outdated record may be another process's by now.
 * Arguments: the unit, the process id.
 */
export const KILL_IN_UNIT_SCRIPT = `
while read -r line; do
  case $line/ in
    */"$1"/*)
      kill -s KILL "$2"
      exit
      ;;
  esac
done <"/proc/$2/cgroup"
exit 1
`;

/**
 * Kills all processes of a machine's cgroup while its PID 1 is in its unit: a later machine may have the same name. All
 * at once end sooner than PID 1 and then the others; before Linux 5.14, which has no `cgroup.kill`, PID 1 is killed.
 * Then runs a command, if one is given.
 *
 * Arguments: the cgroup, the unit, PID 1, the command.
 */
export const KILL_SCRIPT = `
cgroup=$1 unit=$2 pid=$3
shift 3
while read -r line; do
  case $line/ in
    */"$unit"/*)
      { echo 1 >"$cgroup/cgroup.kill"; } 2>/dev/null || kill -s KILL "$pid"
      break
      ;;
  esac
done <"/proc/$pid/cgroup"
exec "$@"
`;

async function killUnit(host: Host, machine: string): Promise<void> {
  if (await isGone(host, machine)) return;
  const unit = unitOf(machine);
  await host.processes.capture(["systemctl", "kill", "--signal=SIGKILL", unit]);
  if (await isGone(host, machine)) return;
  // A machined that ended with the host's D-Bus keeps its records until a call starts it again.
  await host.processes.capture(["machinectl", "list", "--no-legend"]);
  if (!await until(host, { timeout: STOP_TIMEOUT }, () => isGone(host, machine))) {
    throw hostFailure(
      `Cannot end machine ${machine}: its unit is still there after SIGKILL`,
      `See what holds it: systemctl status ${unit}`,
    );
  }
}
