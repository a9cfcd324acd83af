/** Keeps machines alive by transient units of systemd, registered with systemd-machined. */

import { hostFailure } from "../../failure.ts";
import type { Argv, Host } from "../../host/host.ts";
import { isSystemdHost } from "../../linux/systemd.ts";
import { until } from "../../linux/wait.ts";
import { STOP_TIMEOUT, type Supervisor } from "./supervisor.ts";
import { hasUnit, isGone, journal, recordedPid, unitOf } from "./unit.ts";

export { SLICE } from "./unit.ts";

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
    const { startMachineUnit } = await import("./start_unit.ts");
    return await startMachineUnit(host, spec, lease, signal);
  },
  async isAlive(host, { machine, leader }) {
    // A machined that ended with the host's D-Bus keeps records of machines that have ended since.
    return leader !== null && await recordedPid(host, machine) === leader.pid &&
      await hasUnit(host, machine);
  },
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
};

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
