/** Finds and removes leftovers of machines that no lease records. */

import { isSystemdHost } from "../../linux/systemd.ts";
import { removeExportMount } from "../../linux/nspawn_leftovers.ts";
import type { Host } from "../../host/host.ts";
import { type CgroupState, cgroupStates, endCgroup } from "../../linux/cgroups.ts";
import { closeChannel } from "../exec/channel.ts";
import { isAlive, type KernelFacts, type ProcessId } from "../../linux/proc.ts";
import { isOfOtherHost, machineId, parseCommonLease, readLease } from "../record/lease.ts";
import { isMachineName, type MachineName } from "../record/name.ts";
import {
  disksFolder,
  leaseFolder,
  leaseLink,
  machinePaths,
  machinesFolder,
} from "../record/paths.ts";
import { RUNTIME_FOLDER } from "../../runtime_folder.ts";
import { moveAside } from "./removal.ts";
import { listUnits, stopUnit } from "../supervisor/systemd.ts";

/** A machine without a lease that left traces. */
export interface Orphan {
  readonly machine: MachineName;
  /** Its traces, for a message. */
  readonly traces: readonly string[];
  /** Whether systemd has a unit of it. */
  readonly hasUnit: boolean;
  /** Cgroups that this program made for it. */
  readonly cgroups: readonly string[];
  /** Whether it has the file of a lease, which is damaged or of another version of this program. */
  readonly hasUnreadableLease: boolean;
}

/** A cgroup that this program made for a machine. */
interface MachineCgroup {
  readonly path: string;
  readonly machine: string;
  readonly state: CgroupState;
}

/** Whether a store has the lease of a machine, and whether this version of the program can read it. */
type LeaseState = "whole" | "unreadable" | "none";

/** Milliseconds in which nspawn and its unit have ended after all processes of their machine. */
const ENDING_TIME = 1_000;

/**
 * Returns the machines that left traces on this host and have no lease in any store, sorted by name. A machine with a
 * lease that this version of the program cannot read is none of them while it lives; nor is one that cleanup has just
 * ended, whose nspawn ends in the background.
 */
export async function findOrphans(
  host: Host,
  store: string,
  facts: KernelFacts,
): Promise<Orphan[]> {
  const orphans = await lookForOrphans(host, store, facts);
  if (!orphans.some(({ hasUnit }) => hasUnit)) return orphans;
  await host.clock.sleep(ENDING_TIME);
  return await lookForOrphans(host, store, facts);
}

async function lookForOrphans(
  host: Host,
  store: string,
  facts: KernelFacts,
): Promise<Orphan[]> {
  const units = await listUnits(host);
  const cgroups = await listCgroups(host, facts);
  const places: readonly (readonly [string, readonly string[]])[] = [
    ["an unreadable record", (await host.files.list(leaseFolder(store))).map(withoutEnding)],
    ["its writes", await host.files.list(machinesFolder(store))],
    ["its disk", await host.files.list(disksFolder(store))],
    ["files below /run", (await host.files.list(RUNTIME_FOLDER)).map(withoutEnding)],
    ["a unit", units],
    ["a cgroup", cgroups.map(({ machine }) => machine)],
  ];
  const traces = new Map<string, Set<string>>();
  for (const [trace, names] of places) {
    for (const name of names) traces.set(name, (traces.get(name) ?? new Set()).add(trace));
  }
  const orphans: Orphan[] = [];
  for (const [machine, found] of [...traces].sort()) {
    if (!isMachineOfOurs(machine)) continue;
    const hasUnit = units.includes(machine);
    const own = cgroups.filter((one) => one.machine === machine);
    const lease = await leaseState(host, store, machine);
    if (lease === "whole") continue;
    const hasUnreadableLease = lease === "unreadable";
    if (hasUnreadableLease) {
      const hasProcesses = hasUnit || own.some(({ state }) => state === "populated");
      if (hasProcesses || await isInUse(host, store, machine, facts)) continue;
    }
    const paths = own.map(({ path }) => path);
    orphans.push({ machine, traces: [...found], hasUnit, cgroups: paths, hasUnreadableLease });
  }
  return orphans;
}

/**
 * Removes all traces of an orphan, unless it has a lease by now, and moves what it wrote aside. The caller holds the
 * machine's lock.
 *
 * @returns The path of what it wrote; null where it wrote nothing.
 * @throws {Failure} of the host when something could not be removed.
 */
export async function moveOrphanAside(
  host: Host,
  store: string,
  { machine, hasUnit, cgroups, hasUnreadableLease }: Orphan,
): Promise<string | null> {
  const lease = await leaseState(host, store, machine);
  if (lease !== (hasUnreadableLease ? "unreadable" : "none")) return null; // prepare was faster
  if (hasUnit) await stopUnit(host, machine);
  for (const cgroup of cgroups) await endCgroup(host, [cgroup], 0);
  await removeExportMount(host, machine);
  const paths = machinePaths(store, machine);
  await closeChannel(host, paths);
  await host.files.remove(paths.notes);
  const aside = await moveAside(host, store, machine);
  await host.files.remove(leaseLink(machine));
  await host.files.remove(paths.lease);
  return aside;
}

function isMachineOfOurs(name: string): name is MachineName {
  return isMachineName(name) && /^(?:run|service|held)-/.test(name);
}

/** The lease of another store is found by its link. */
async function leaseState(host: Host, store: string, machine: MachineName): Promise<LeaseState> {
  const elsewhere = await host.files.real(leaseLink(machine));
  if (elsewhere !== null && elsewhere !== machinePaths(store, machine).lease) return "whole";
  try {
    return await readLease(host, store, machine) === null ? "none" : "whole";
  } catch {
    return "unreadable";
  }
}

/** Whether a lease of another version is of another host, or names a process that lives or files that are still kept. */
async function isInUse(
  host: Host,
  store: string,
  machine: MachineName,
  { boot }: KernelFacts,
): Promise<boolean> {
  const lease = parseCommonLease(await host.files.read(machinePaths(store, machine).lease) ?? "");
  if (lease === null) return false;
  if (isOfOtherHost(lease, await machineId(host))) return true;
  if (lease.boot !== boot) return false;
  if (lease.held !== null) return !(host.clock.now() > Date.parse(lease.held));
  const processes: (ProcessId | null)[] = [lease.leader, lease.preparer];
  for (const process of processes) {
    if (process !== null && await isAlive(host, process)) return true;
  }
  return false;
}

function withoutEnding(entry: string): string {
  return entry.replace(/\.(?:log|lease|lock|stage|failures|notes|json)$/, "");
}

/**
 * Returns the cgroups that this program makes for machines on hosts without systemd, without those of other containers
 * that share the hierarchy.
 */
async function listCgroups(host: Host, { mounts }: KernelFacts): Promise<MachineCgroup[]> {
  // There systemd makes all cgroups of machines; others are those of machines in containers.
  if (await isSystemdHost(host)) return [];
  const points = mounts.filter(({ type }) => type === "cgroup2" || type === "cgroup")
    .map(({ point }) => point);
  if (points.length === 0) return [];
  const ours = ["(", "-name", `${PREFIX}run-*`, "-o", "-name", `${PREFIX}service-*`, ")"];
  const { stdout } = await host.processes.capture(
    ["find", ...points, "-type", "d", ...ours, "-prune", "-print0"],
  );
  const paths = stdout.split("\0").filter((path) => path !== "" && !path.endsWith(".service"));
  const states = await cgroupStates(host, paths);
  return paths.map((path, index) => ({
    path,
    machine: path.slice(path.lastIndexOf("/") + 1 + PREFIX.length),
    state: states[index]!,
  })).filter(({ state }) => state !== "foreign");
}

const PREFIX = "nspawn-runner-";
