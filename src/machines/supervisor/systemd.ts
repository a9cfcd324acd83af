import type { Limits } from "../../config/settings.ts";
import { hostFailure } from "../../failure.ts";
import type { Argv, Captured, Host } from "../../host/host.ts";
import { deviceProperties } from "../nspawn/devices.ts";
import { inspectInitProcess, type InitProcess } from "../nspawn/init_process.ts";
import { whileConnecting } from "../network/veth.ts";
import { nspawnArgv, nspawnEnvironment } from "../nspawn/command_line.ts";
import { leaseLink, recordOf } from "../record/paths.ts";
import { until } from "../../linux/wait.ts";
import type { MachineSpec } from "../nspawn/spec.ts";
import { isPlainMachineReady } from "./plain.ts";
import { MAX_LOG_LINES, cannotStart, STOP_TIMEOUT, type Supervisor } from "./supervisor.ts";

/** All machines together leave this much of the host's memory to the host. */
const SLICE = "machine-ci.slice";
const SLICE_MEMORY = "MemoryMax=90%";

/** Longest wait for the unit of a lost machine to be gone, in milliseconds. */
const UNIT_GONE_TIMEOUT = 2_000;

/** SD_MESSAGE_UNIT_OUT_OF_MEMORY of sd-messages.h, in which systemd tells of a unit's killed processes. */
const OUT_OF_MEMORY_MESSAGE = "fe6faa94e7774663a0da52717891d8ef";

/** A transient unit a machine, registered with machined; the unit's limits bind the payload. */
export const systemd: Supervisor = {
  kind: "systemd",
  enforcesLimits: true,
  cgroupsFor: () => [],
  async start(host, spec, _lease, signal) {
    await limitSliceMemory(host);
    const began = host.clock.now();
    await whileConnecting(host, spec.link, () => recordedPid(host, spec.name), async () => {
      const started = await host.processes.capture(startArgv(spec), { signal });
      const isReady = started.code === 0 &&
        (spec.booted || await waitForPlainMachine(host, spec, signal));
      if (isReady) return;
      const took = host.clock.now() - began;
      const isLate = !signal.aborted && took >= spec.settings.prepare_timeout * 1000;
      const said = await startLog(host, unitOf(spec.name), began, started);
      throw cannotStart(spec, said, isLate);
    });
    // Not before: until then nspawn still takes capabilities away from what becomes PID 1.
    return await findInitProcess(host, spec.name);
  },
  async isAlive(host, lease) {
    return lease.leader !== null && await recordedPid(host, lease.machine) === lease.leader.pid;
  },
  async ranOutOfMemory(host, lease, since) {
    // What killed it is told before the unit is gone; one that starts anew is not.
    await until(host, UNIT_GONE_TIMEOUT, () => isGone(host, lease.machine));
    await host.processes.capture(["journalctl", "--sync"]);
    const killed = ["_PID=1", `UNIT=${unitOf(lease.machine)}`, `MESSAGE_ID=${OUT_OF_MEMORY_MESSAGE}`];
    return await journal(host, since, ...killed) !== "";
  },
  stop: (host, lease) => stopUnit(host, lease.machine),
};

/**
 * Ends a machine's unit: it is gone when this returns. Fine when it never was.
 *
 * @param host The outside.
 * @param machine The machine's name.
 * @throws {Failure} of the host when it does not go.
 */
export async function stopUnit(host: Host, machine: string): Promise<void> {
  // The end of its PID 1 is the one end after which nspawn leaves no mount behind.
  if (await killInitProcess(host, machine)) {
    if (await until(host, STOP_TIMEOUT, () => isGone(host, machine))) return;
  }
  await killUnit(host, machine);
}

/**
 * The machines that have a unit.
 *
 * @param host The outside.
 * @returns Names as the units have them; none where systemd is not PID 1.
 */
export async function listUnits(host: Host): Promise<string[]> {
  if (await host.files.lstat("/run/systemd/system") === null) return [];
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

/**
 * The unit of a machine.
 *
 * @param machine The machine's name.
 * @returns The unit's name.
 */
export function unitOf(machine: string): string {
  return `nspawn-runner-${machine}.service`;
}

function startArgv(spec: MachineSpec): Argv {
  const environment = Object.entries(nspawnEnvironment(spec.settings.seccomp));
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
    // Without --keep-unit the payload moves to a scope of its own, where no limit of the unit binds it.
    ...nspawnArgv(spec, ["--keep-unit"]),
  ];
}

function unitProperties(spec: MachineSpec): string[] {
  return [
    "Type=notify",
    "KillMode=mixed",
    // nspawn ends with 133 when its machine reboots: systemd-nspawn@.service
    "RestartForceExitStatus=133",
    "SuccessExitStatus=133",
    "Delegate=yes",
    // When we are killed, systemd-run may still ask for a machine that nobody has a record of.
    `AssertPathExists=${leaseLink(spec.name)}`,
    `TimeoutStartSec=${spec.settings.prepare_timeout}s`,
    "TimeoutStopSec=10s",
    // Whoever watches over it: an orphan ends by itself.
    `RuntimeMaxSec=${Math.ceil(spec.lifetime)}s`,
    ...DEVICE_POLICY,
    ...deviceProperties(spec.devices),
    ...limitProperties(spec.settings.limits),
  ];
}

/** What systemd-nspawn@.service allows, but for disks: a job could read the host's from a node of its own. */
const DEVICE_POLICY = [
  "DevicePolicy=closed",
  "DeviceAllow=char-pts rw",
  "DeviceAllow=/dev/net/tun rwm",
  "DeviceAllow=/dev/fuse rwm",
];

/**
 * The unit's limits.
 *
 * @param limits Checked values.
 * @returns Properties of systemd.resource-control(5).
 */
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

/** Once a boot: the setting is kept in a drop-in below /run, which systemd names after the percentage. */
async function limitSliceMemory(host: Host): Promise<void> {
  const dropIn = `/run/systemd/system.control/${SLICE}.d/50-MemoryMaxScale.conf`;
  if (await host.files.lstat(dropIn) !== null) return;
  const argv: Argv = ["systemctl", "set-property", "--runtime", SLICE, SLICE_MEMORY];
  const { code, stderr } = await host.processes.capture(argv);
  if (code !== 0) host.log.warn(`Cannot limit ${SLICE}: ${stderr.trim()}`);
}

async function findInitProcess(host: Host, machine: string): Promise<InitProcess> {
  const pid = await recordedPid(host, machine) ?? await askMachined(host, machine);
  const leader = pid === null ? null : await inspectInitProcess(host, pid);
  if (leader !== null) return leader;
  throw hostFailure(`Cannot find machine ${machine}: machined does not know it`);
}

/**
 * The PID 1 of a machine as machined's record of it tells. The file costs no process to read, is
 * there from the machine's start to its end, and machined watches that very process.
 */
async function recordedPid(host: Host, machine: string): Promise<number | null> {
  const record = await host.files.read(recordOf(machine));
  const pid = record?.match(/^LEADER=([0-9]+)$/m)?.[1];
  return pid === undefined ? null : Number(pid);
}

async function askMachined(host: Host, machine: string): Promise<number | null> {
  const shown = await host.processes.capture(
    ["machinectl", "show", machine, "--property=Leader", "--value"],
  );
  return Number(shown.stdout.trim()) || null;
}

async function killInitProcess(host: Host, machine: string): Promise<boolean> {
  const leader = await recordedPid(host, machine);
  return leader !== null && host.processes.signal(leader, "SIGKILL");
}

/** nspawn calls a plain machine ready a moment before its own process runs; it may never do. */
async function waitForPlainMachine(
  host: Host,
  spec: MachineSpec,
  signal: AbortSignal,
): Promise<boolean> {
  let ready = false;
  await until(host, spec.settings.prepare_timeout * 1000, async () => {
    ready = await isPlainMachineReady(host, spec);
    return ready || signal.aborted || await host.files.lstat(recordOf(spec.name)) === null;
  });
  return ready;
}

async function isGone(host: Host, machine: string): Promise<boolean> {
  // Both are files, and cost no process to ask for.
  if (await host.files.lstat(recordOf(machine)) !== null) return false;
  const unit = await host.files.lstat(`/run/systemd/transient/${unitOf(machine)}`);
  return unit === null;
}

async function killUnit(host: Host, machine: string): Promise<void> {
  if (await isGone(host, machine)) return;
  const unit = unitOf(machine);
  await host.processes.capture(["systemctl", "kill", "--signal=SIGKILL", unit]);
  if (!await until(host, STOP_TIMEOUT, () => isGone(host, machine))) {
    throw hostFailure(
      `Cannot end machine ${machine}: unit ${unit} stays`,
      `See what holds it: systemctl status ${unit}`,
    );
  }
}

/** What was said of a start that failed; systemd itself says no more than that the unit did. */
async function startLog(
  host: Host,
  unit: string,
  began: number,
  { stderr }: Captured,
): Promise<string> {
  await host.processes.capture(["journalctl", "--sync"]); // what was just said may not be there yet
  const own = `${stderr}\n${await journal(host, began, `_SYSTEMD_UNIT=${unit}`)}`;
  if (own.trim() !== "") return own;
  const lines = (await journal(host, began, `UNIT=${unit}`)).split("\n");
  return lines.filter((line) => line.startsWith(`${unit}: `)).join("\n");
}

/** What all matches say, but not what an earlier machine of that name said. */
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
