/** What is left of machines that nobody has a record of. */

import { EXPORTS, sweepExport } from "../../linux/nspawn_leftovers.ts";
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
import { RUNTIME } from "../../runtime_folder.ts";
import { storageOf } from "../storage/choose.ts";
import { listUnits, stopUnit } from "../supervisor/systemd.ts";

/** Traces of one machine without a record. */
export interface Orphan {
  readonly machine: MachineName;
  /** In words, for a message. */
  readonly traces: readonly string[];
  /** Cgroups of its own, where no systemd made them. */
  readonly cgroups: readonly string[];
}

/**
 * Machines that left traces on this host, and have no lease in any store.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @param facts What the kernel says.
 * @returns One entry a machine, sorted by name.
 */
export async function findOrphans(
  host: Host,
  store: string,
  facts: KernelFacts,
): Promise<Orphan[]> {
  const cgroups = await listCgroups(host, facts);
  const places: readonly (readonly [string, readonly string[]])[] = [
    ["a damaged record", (await host.files.list(leaseFolder(store))).map(withoutEnding)],
    ["its writes", await host.files.list(machinesFolder(store))],
    ["its disk", await host.files.list(disksFolder(store))],
    ["files below /run", (await host.files.list(RUNTIME)).map(withoutEnding)],
    ["a unit", await listUnits(host)],
    ["a mount of nspawn's", await host.files.list(EXPORTS)],
    ["a cgroup", cgroups.map(({ machine }) => machine)],
  ];
  const traces = new Map<string, Set<string>>();
  for (const [trace, names] of places) {
    for (const name of names) traces.set(name, (traces.get(name) ?? new Set()).add(trace));
  }
  const orphans: Orphan[] = [];
  for (const [machine, found] of [...traces].sort()) {
    if (!isOurs(machine) || await isRecorded(host, store, machine)) continue;
    const own = cgroups.filter((one) => one.machine === machine).map(({ path }) => path);
    orphans.push({ machine, traces: [...found], cgroups: own });
  }
  return orphans;
}

/**
 * Removes all traces of a machine that nobody has a record of.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @param facts What the kernel says.
 * @param orphan Which.
 * @throws {Failure} of the host when something stays.
 */
export async function removeOrphan(
  host: Host,
  store: string,
  facts: KernelFacts,
  { machine, traces, cgroups }: Orphan,
): Promise<void> {
  if (await isRecorded(host, store, machine)) return; // a prepare was faster
  if (traces.includes("a unit")) await stopUnit(host, machine);
  for (const cgroup of cgroups) await endCgroup(host, [cgroup], 0);
  await sweepExport(host, machine);
  const paths = machinePaths(store, machine);
  await closeChannel(host, paths);
  // Whatever storage it had: an unmounted tmpfs is a folder, and so is an upper layer.
  const onBtrfs = fileSystemOf(facts.mounts, await host.files.real(store) ?? store) === "btrfs";
  if (onBtrfs) await storageOf("btrfs").remove(host, paths.folder);
  await storageOf("overlay").remove(host, paths.folder);
  await host.files.remove(leaseLink(machine));
  await host.files.remove(paths.lease);
}

function isOurs(name: string): name is MachineName {
  return isMachineName(name) && /^(?:run|held)-/.test(name);
}

/** A lease of another store is found by its link, which stays out of our hands as well. */
async function isRecorded(host: Host, store: string, machine: MachineName): Promise<boolean> {
  const elsewhere = await host.files.real(leaseLink(machine));
  if (elsewhere !== null && elsewhere !== machinePaths(store, machine).lease) return true;
  // One that is damaged tells nothing of its machine.
  return await readLease(host, store, machine).catch(() => null) !== null;
}

function withoutEnding(entry: string): string {
  return entry.replace(/\.(?:log|lease|lock|failures|json)$/, "");
}

/** Those that we make where no systemd does: cgroup.ts. */
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
