/** Starts the unit of a machine and waits until the machine is ready. */

import { join } from "@std/path/posix";
import type { Limits } from "../../config/settings.ts";
import { hostFailure } from "../../failure.ts";
import type { Argv, Captured, Host } from "../../host/host.ts";
import { aboveMachine, PAYLOAD } from "../../linux/nspawn.ts";
import { until } from "../../linux/wait.ts";
import { RUNTIME_FOLDER } from "../../runtime_folder.ts";
import { connectWhileStarting } from "../network/veth.ts";
import { nspawnArgv, nspawnEnvironment } from "../nspawn/command_line.ts";
import { deviceProperties } from "../nspawn/devices.ts";
import { type InitProcess, inspectInitProcess } from "../nspawn/init_process.ts";
import type { MachineSpec } from "../nspawn/spec.ts";
import type { Lease } from "../record/lease.ts";
import { leaseLink, recordOf } from "../record/paths.ts";
import { LIMIT_TABLES } from "./host_tables.ts";
import { type ServerState, serverState } from "./stage_server.ts";
import { cannotStart, reportWhileStarting } from "./start_report.ts";
import { journal, readRecord, recordedPid, SLICE, SLICE_TASKS_PERCENT, unitOf } from "./unit.ts";

/** All machines together: a part of the memory and of the processes that the kernel can have is left to the host. */
const SLICE_LIMITS = ["MemoryMax=90%", `TasksMax=${SLICE_TASKS_PERCENT}%`] as const;

/** Starts a machine: see {@linkcode Supervisor.start}. */
export async function startMachineUnit(
  host: Host,
  spec: MachineSpec,
  lease: Lease,
  signal: AbortSignal,
): Promise<InitProcess> {
  await refuseTakenName(host, spec.name);
  await limitSlice(host);
  const findPid = () => recordedPid(host, spec.name);
  const start = () => startUnit(host, spec, signal);
  const init = await connectWhileStarting(
    host,
    spec,
    findPid,
    () => reportWhileStarting(host, spec, lease, findPid, start),
  );
  await showLimits(host, spec, init);
  return init;
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

/** Starts a machine's unit, and returns its PID 1 when the machine is ready. */
async function startUnit(
  host: Host,
  spec: MachineSpec,
  signal: AbortSignal,
): Promise<InitProcess> {
  const began = host.clock.now();
  const started = await host.processes.capture(startArgv(spec), { signal });
  const init = started.code === 0 ? await waitUntilReady(host, spec, signal) : null;
  if (init !== null) return init;
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
    ...nspawnArgv(spec, "unit", LIMIT_TABLES), // the unit's limits would not bind a scope
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
  const unit = aboveMachine(cgroup);
  if (!unit.endsWith(`/${unitOf(name)}`)) return;
  await host.processes.capture(["sh", "-c", SHOW_LIMITS_SCRIPT, "sh", unit, `${unit}/${PAYLOAD}`]);
}

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

async function askMachined(host: Host, machine: string): Promise<number | null> {
  const shown = await host.processes.capture(
    ["machinectl", "show", machine, "--property=Leader", "--value"],
  );
  return Number(shown.stdout.trim()) || null;
}

/**
 * Returns the machine's PID 1 once its server is ready; null where the machine ends, or the time is over, before. nspawn
 * reports a plain machine as ready before its payload runs, which may fail to start.
 */
async function waitUntilReady(
  host: Host,
  spec: MachineSpec,
  signal: AbortSignal,
): Promise<InitProcess | null> {
  if (!await reachesState(host, spec, signal, ["begun", "ready"])) return null;
  // Not earlier: until then nspawn still drops capabilities of PID 1.
  const finding = findInitProcess(host, spec.name);
  finding.catch(() => {}); // why a machine does not get ready says more
  return await reachesState(host, spec, signal, ["ready"]) ? await finding : null;
}

async function reachesState(
  host: Host,
  spec: MachineSpec,
  signal: AbortSignal,
  states: readonly ServerState[],
): Promise<boolean> {
  const timeout = spec.settings.prepare_timeout * 1000;
  const state = await until(host, { timeout, interval: 1 }, async () => {
    const state = await serverState(host, spec);
    if (states.includes(state)) return state;
    const hasEnded = signal.aborted || await readRecord(host, spec.name) === null;
    return hasEnded ? "ended" : null;
  });
  return state !== null && state !== "ended";
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
