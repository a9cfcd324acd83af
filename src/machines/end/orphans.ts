/** Finds and removes leftovers of machines that no lease records. */

import { EXPORT_MOUNTS, removeExportMount } from "../../linux/nspawn_leftovers.ts";
import type { Host } from "../../host/host.ts";
import { endCgroup } from "../../linux/cgroups.ts";
import { closeChannel } from "../exec/channel.ts";
import { fileSystemOf, type KernelFacts } from "../../linux/proc.ts";
import { readLease } from "../record/lease.ts";
import { isMachineName, type MachineName } from "../record/name.ts";
import {
  disksFolder,
  leaseFolder,
  leaseLink,
  machinePaths,
  machinesFolder,
} from "../record/paths.ts";
import { RUNTIME_FOLDER } from "../../runtime_folder.ts";
import { storageOf } from "../storage/choose.ts";
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
}

/** Returns the machines that left traces on this host and have no lease in any store, sorted by name. */
export async function findOrphans(
  host: Host,
  store: string,
  facts: KernelFacts,
): Promise<Orphan[]> {
  const units = await listUnits(host);
  const cgroups = await listCgroups(host, facts);
  const places: readonly (readonly [string, readonly string[]])[] = [
    ["a damaged record", (await host.files.list(leaseFolder(store))).map(withoutEnding)],
    ["its writes", await host.files.list(machinesFolder(store))],
    ["its disk", await host.files.list(disksFolder(store))],
    ["files below /run", (await host.files.list(RUNTIME_FOLDER)).map(withoutEnding)],
    ["a unit", units],
    ["a mount of nspawn's", await host.files.list(EXPORT_MOUNTS)],
    ["a cgroup", cgroups.map(({ machine }) => machine)],
  ];
  const traces = new Map<string, Set<string>>();
  for (const [trace, names] of places) {
    for (const name of names) traces.set(name, (traces.get(name) ?? new Set()).add(trace));
  }
  const orphans: Orphan[] = [];
  for (const [machine, found] of [...traces].sort()) {
    if (!isMachineOfOurs(machine) || await hasLease(host, store, machine)) continue;
    const own = cgroups.filter((one) => one.machine === machine).map(({ path }) => path);
    orphans.push({ machine, traces: [...found], hasUnit: units.includes(machine), cgroups: own });
  }
  return orphans;
}

/**
 * Removes all traces of an orphan, unless it has a lease by now. The caller holds the machine's lock.
 *
 * @throws {Failure} of the host when something could not be removed.
 */
export async function removeOrphan(
  host: Host,
  store: string,
  facts: KernelFacts,
  { machine, hasUnit, cgroups }: Orphan,
): Promise<void> {
  if (await hasLease(host, store, machine)) return; // prepare was faster
  if (hasUnit) await stopUnit(host, machine);
  for (const cgroup of cgroups) await endCgroup(host, [cgroup], 0);
  await removeExportMount(host, machine);
  const paths = machinePaths(store, machine);
  await closeChannel(host, paths);
  // Without a lease the kind of storage is unknown; what an overlay or a tmpfs leaves is a folder in both cases.
  const onBtrfs = fileSystemOf(facts.mounts, await host.files.real(store) ?? store) === "btrfs";
  if (onBtrfs) await storageOf("btrfs").remove(host, paths.folder);
  await storageOf("overlay").remove(host, paths.folder);
  await host.files.remove(leaseLink(machine));
  await host.files.remove(paths.lease);
}

function isMachineOfOurs(name: string): name is MachineName {
  return isMachineName(name) && /^(?:run|held)-/.test(name);
}

/** Whether a store has its lease; that of another store is found by its link. */
async function hasLease(host: Host, store: string, machine: MachineName): Promise<boolean> {
  const elsewhere = await host.files.real(leaseLink(machine));
  if (elsewhere !== null && elsewhere !== machinePaths(store, machine).lease) return true;
  // A damaged lease does not count.
  return await readLease(host, store, machine).catch(() => null) !== null;
}

function withoutEnding(entry: string): string {
  return entry.replace(/\.(?:log|lease|lock|failures|json)$/, "");
}

/** Returns the cgroups that this program makes for machines on hosts without systemd. */
async function listCgroups(host: Host, { mounts }: KernelFacts) {
  const points = mounts.filter(({ type }) => type === "cgroup2" || type === "cgroup")
    .map(({ point }) => point);
  if (points.length === 0) return [];
  const { stdout } = await host.processes.capture(
    ["find", ...points, "-type", "d", "-name", "nspawn-runner-run-*", "-prune", "-print0"],
  );
  return stdout.split("\0").filter((path) => path !== "" && !path.endsWith(".service"))
    .map((path) => ({ path, machine: path.slice(path.lastIndexOf("/") + 1 + PREFIX) }));
}

const PREFIX = "nspawn-runner-".length;
