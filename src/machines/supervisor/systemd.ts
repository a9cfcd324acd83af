/** Keeps machines alive by transient units of systemd, registered with systemd-machined. */

import { join } from "@std/path/posix";
import type { Limits } from "../../config/settings.ts";
import { hostFailure } from "../../failure.ts";
import type { Argv, Captured, Host } from "../../host/host.ts";
import { deviceProperties } from "../nspawn/devices.ts";
import { type InitProcess, inspectInitProcess } from "../nspawn/init_process.ts";
import { connectWhileStarting } from "../network/veth.ts";
import { nspawnArgv, nspawnEnvironment } from "../nspawn/command_line.ts";
import { leaseLink, recordOf } from "../record/paths.ts";
import { isSystemdHost } from "../../linux/systemd.ts";
import { until } from "../../linux/wait.ts";
import { RUNTIME_FOLDER } from "../../runtime_folder.ts";
import { withTableLimits } from "./host_tables.ts";
import type { MachineSpec } from "../nspawn/spec.ts";
import { isPlainMachineReady } from "./plain.ts";
import {
  cannotStart,
  MAX_LOG_LINES,
  reportWhileStarting,
  STOP_TIMEOUT,
  type Supervisor,
} from "./supervisor.ts";

/** All machines together: a part of the memory and of the processes that the kernel can have is left to the host. */
export const SLICE = "machine-ci.slice";
export const SLICE_TASKS_PERCENT = 70;
const SLICE_LIMITS = ["MemoryMax=90%", `TasksMax=${SLICE_TASKS_PERCENT}%`] as const;

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
    await refuseTakenName(host, spec.name);
    await limitSlice(host);
    const findPid = () => recordedPid(host, spec.name);
    const start = () => startUnit(host, spec, signal);
    await connectWhileStarting(
      host,
      spec.link,
      findPid,
      () => reportWhileStarting(host, spec, lease, findPid, start),
    );
    // Not earlier: until then nspawn still drops capabilities of PID 1.
    const init = await findInitProcess(host, spec.name);
    await showLimits(host, spec, init);
    return init;
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

/** Returns the name of a machine's unit. */
export function unitOf(machine: string): string {
  return `nspawn-runner-${machine}.service`;
}

/** An nspawn that cannot start for the name's sake would unmount what the other machine of that name has mounted. */
async function refuseTakenName(host: Host, machine: string): Promise<void> {
  const isTaken = await host.files.lstat(recordOf(machine)) !== null &&
    await readRecord(host, machine) === null;
  if (!isTaken) return;
  throw hostFailure(
    `Cannot start machine ${machine}: the host has another machine of that name`,
    `See whose it is: machinectl status ${machine}`,
  );
}

/** Starts a machine's unit, and returns when the machine is ready. */
async function startUnit(host: Host, spec: MachineSpec, signal: AbortSignal): Promise<void> {
  const began = host.clock.now();
  const started = await host.processes.capture(startArgv(spec), { signal });
  if (started.code === 0 && (spec.booted || await waitForPlainMachine(host, spec, signal))) return;
  const elapsed = host.clock.now() - began;
  const timedOut = !signal.aborted && elapsed >= spec.settings.prepare_timeout * 1000;
  throw cannotStart(spec, await startLog(host, unitOf(spec.name), began, started), timedOut);
}

function startArgv(spec: MachineSpec): Argv {
  const environment = Object.entries(nspawnEnvironment(spec.settings));
  return [
    "systemd-run",
    "--quiet",
    "--collect",
    `--unit=${unitOf(spec.name)}`,
    `--slice=${SLICE}`,
    `--description=CI machine ${spec.name}`,
    ...unitProperties(spec).map((property) => `--property=${property}`),
    ...environment.map(([name, value]) => `--setenv=${name}=${value}`),
    "--",
    ...withTableLimits(nspawnArgv(spec, "unit")), // the unit's limits would not bind a scope
  ];
}

function unitProperties(spec: MachineSpec): string[] {
  return [
    "Type=notify",
    "KillMode=mixed",
    "Delegate=yes",
    // Where this process is killed, systemd-run may still start a unit whose lease is removed by then.
    `AssertPathExists=${leaseLink(spec.name)}`,
    `TimeoutStartSec=${spec.settings.prepare_timeout}s`,
    "TimeoutStopSec=10s",
    // An orphaned machine ends without anybody's help.
    `RuntimeMaxSec=${Math.ceil(spec.lifetime)}s`,
    ...DEVICE_POLICY,
    ...deviceProperties(spec.devices),
    ...limitProperties(spec.settings.limits),
  ];
}

/** What systemd-nspawn@.service allows, without disks: a job could create a node and read the host's disk. */
export const DEVICE_POLICY = [
  "DevicePolicy=closed",
  "DeviceAllow=char-pts rw",
  "DeviceAllow=/dev/net/tun rwm",
  "DeviceAllow=/dev/fuse rwm",
];

/** Returns a unit's properties for limits: systemd.resource-control(5). */
export function limitProperties(limits: Limits): string[] {
  return [
    `CPUWeight=${limits.cpu_weight}`,
    `MemoryHigh=${limits.memory_high}`,
    `MemoryMax=${limits.memory_max}`,
    `MemorySwapMax=${limits.swap_max}`,
    ...(limits.cpu_quota === "infinity" ? [] : [`CPUQuota=${limits.cpu_quota}`]),
    `IOWeight=${limits.io_weight}`,
    `TasksMax=${limits.tasks_max}`,
  ];
}

/** Arguments: the slice, properties with their values. What an administrator set before stays. */
export const LIMIT_SLICE_SCRIPT = `
slice=$1
shift
for limit; do
  property=\${limit%%=*}
  [ "$(systemctl show --property="$property" "$slice")" = "$property=infinity" ] || continue
  systemctl set-property --runtime "$slice" "$limit"
done
`;

/** Once per boot: systemd keeps the settings below /run. */
async function limitSlice(host: Host): Promise<void> {
  const mark = join(RUNTIME_FOLDER, ".slice");
  if (await host.files.lstat(mark) !== null) return;
  const argv: Argv = ["sh", "-euc", LIMIT_SLICE_SCRIPT, "sh", SLICE, ...SLICE_LIMITS];
  const { code, stderr } = await host.processes.capture(argv);
  if (code !== 0) return host.log.warn(`Cannot limit ${SLICE}: ${stderr.trim()}`);
  await host.files.makeDirectory(RUNTIME_FOLDER);
  await host.files.write(mark, "");
}

/**
 * Copies the limits of the unit to the cgroup that the machine sees as the root: runtimes such as JVM, Go and Node
 * choose the size of their heap and the number of threads by it.
 */
async function showLimits(
  host: Host,
  { name, settings: { limits } }: MachineSpec,
  { cgroup }: InitProcess,
): Promise<void> {
  if (limits.memory_max === "infinity" && limits.cpu_quota === "infinity") return;
  const [unit] = cgroup.split(`/${PAYLOAD}`, 1);
  if (!unit?.endsWith(`/${unitOf(name)}`)) return;
  await host.processes.capture(["sh", "-c", SHOW_LIMITS_SCRIPT, "sh", unit, `${unit}/${PAYLOAD}`]);
}

/** nspawn's cgroup for a machine below its unit, with --keep-unit. */
const PAYLOAD = "payload";

/** Arguments: the cgroup of the unit, the cgroup of the machine. A controller that the host lacks has no file. */
export const SHOW_LIMITS_SCRIPT = `
for limit in memory.max memory.swap.max cpu.max; do
  if [ -e "$1/$limit" ] && [ -e "$2/$limit" ]; then cat "$1/$limit" >"$2/$limit"; fi
done
`;

async function findInitProcess(host: Host, machine: string): Promise<InitProcess> {
  const pid = await recordedPid(host, machine) ?? await askMachined(host, machine);
  const leader = pid === null ? null : await inspectInitProcess(host, pid);
  if (leader !== null) return leader;
  throw hostFailure(
    `Cannot find machine ${machine}: systemd-machined does not list it`,
    `See why: journalctl -u ${unitOf(machine)} -u systemd-machined`,
  );
}

/** Reads a machine's PID 1 from machined's record of the machine. */
async function recordedPid(host: Host, machine: string): Promise<number | null> {
  const pid = (await readRecord(host, machine))?.match(/^LEADER=([0-9]+)$/m)?.[1];
  return pid === undefined ? null : Number(pid);
}

/**
 * Reads machined's record of a machine, which exists as long as the machine runs; reading it costs no process.
 *
 * @returns Null where there is none, or where it is of a machine of that name that somebody else started.
 */
async function readRecord(host: Host, machine: string): Promise<string | null> {
  const record = await host.files.read(recordOf(machine));
  const unit = record?.match(/^SCOPE=(.*)$/m)?.[1];
  return unit === undefined || unit === unitOf(machine) ? record : null;
}

async function askMachined(host: Host, machine: string): Promise<number | null> {
  const shown = await host.processes.capture(
    ["machinectl", "show", machine, "--property=Leader", "--value"],
  );
  return Number(shown.stdout.trim()) || null;
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

/** nspawn reports a plain machine as ready before its init runs, which may fail to start. */
async function waitForPlainMachine(
  host: Host,
  spec: MachineSpec,
  signal: AbortSignal,
): Promise<boolean> {
  const timeout = spec.settings.prepare_timeout * 1000;
  const state = await until(host, { timeout }, async () => {
    if (await isPlainMachineReady(host, spec)) return "ready";
    const hasEnded = signal.aborted || await readRecord(host, spec.name) === null;
    return hasEnded ? "ended" : null;
  });
  return state === "ready";
}

async function isGone(host: Host, machine: string): Promise<boolean> {
  return await readRecord(host, machine) === null && !await hasUnit(host, machine);
}

/** Whether systemd has a machine's unit, which ends after its machine. */
async function hasUnit(host: Host, machine: string): Promise<boolean> {
  return await host.files.lstat(`/run/systemd/transient/${unitOf(machine)}`) !== null;
}

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

/** Returns the output of a start that failed; where there is none, systemd's messages about the unit. */
async function startLog(
  host: Host,
  unit: string,
  began: number,
  { stderr }: Captured,
): Promise<string> {
  await host.processes.capture(["journalctl", "--sync"]); // else the last lines may be missing
  const own = `${stderr}\n${await journal(host, began, `_SYSTEMD_UNIT=${unit}`)}`;
  if (own.trim() !== "") return own;
  const lines = (await journal(host, began, `UNIT=${unit}`)).split("\n");
  return lines.filter((line) => line.startsWith(`${unit}: `)).join("\n");
}

/** Returns the last lines of the journal that match, without those of an earlier machine of the same name. */
async function journal(host: Host, began: number, ...matches: string[]): Promise<string> {
  const since = `--since=@${Math.floor(began / 1000)}`;
  const options = [
    "--output=cat",
    "--no-pager",
    "--quiet",
    since,
    `--lines=${MAX_LOG_LINES}`,
  ] as const;
  return (await host.processes.capture(["journalctl", ...options, ...matches])).stdout;
}
