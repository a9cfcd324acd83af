/** What a new machine takes, that nobody else may take: its lease says it. */

import type { MachineSettings } from "../../config/settings.ts";
import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { bytesIn } from "../../text/size.ts";
import { type Bind, reserveFolders } from "../record/caches.ts";
import { canMapOwners, freeIds } from "../record/ids.ts";
import type { KernelFacts } from "../../linux/proc.ts";
import { type Lease, leasesOfHost, writeLease } from "../record/lease.ts";
import { whileReserving } from "../record/lock.ts";
import { linkOf, slotsIn } from "../network/address.ts";
import type { ChosenNetwork } from "../network/choose.ts";
import type { NetworkPlan } from "../record/network.ts";
import { leaseLink, machinePaths } from "../record/paths.ts";
import type { MachinePlan, BaseTree } from "../record/plan.ts";
import { parseStat, type ProcessId } from "../../linux/proc.ts";
import { chooseStorage } from "../storage/choose.ts";
import type { Storage } from "../storage/storage.ts";
import type { Supervisor } from "../supervisor/supervisor.ts";
import { findUser } from "../record/user.ts";

/** What a start finds out first. */
export interface Found {
  readonly facts: KernelFacts;
  readonly runner: ProcessId | null;
  readonly network: ChosenNetwork;
}

/** What a machine has for its own. */
export interface Claimed {
  readonly lease: Lease;
  readonly binds: readonly Bind[];
  readonly environment: readonly string[];
  /** As {@linkcode BaseTree} has it. */
  readonly isFixed: boolean;
}

/**
 * Writes the lease: the tree that it names stays from then on, and its folders, ids and network are nobody
 * else's.
 *
 * @param host The outside.
 * @param plan What it is to be.
 * @param supervisor Who keeps it.
 * @param found What was found out.
 * @param interrupt Gives up when aborted.
 * @returns What it has.
 * @throws {Failure} where there is nothing left to take.
 */
export async function reserve(
  host: Host,
  plan: MachinePlan,
  supervisor: Supervisor,
  found: Found,
  interrupt: AbortSignal,
): Promise<Claimed> {
  const { folders, store } = plan;
  return await whileReserving(host, async () => {
    const chroot = await plan.tree();
    const wanted = await newLease(host, plan, chroot, supervisor, found);
    const claimed = folders === undefined
      ? { folders: [], binds: [] }
      : await reserveFolders(host, store, folders, wanted.user?.uid ?? 0);
    const lease = { ...wanted, folders: claimed.folders };
    await writeLease(host, lease);
    // By that link machines of other stores are found, too.
    await host.files.remove(leaseLink(lease.machine)); // one that led to another store
    await host.files.symlink(machinePaths(store, lease.machine).lease, leaseLink(lease.machine));
    const binds = [...plan.binds, ...claimed.binds];
    return { lease, binds, environment: chroot.environment, isFixed: chroot.isFixed };
  }, interrupt);
}

async function newLease(
  host: Host,
  plan: MachinePlan,
  chroot: BaseTree,
  supervisor: Supervisor,
  { facts, runner, network }: Found,
): Promise<Lease> {
  const { name, store, settings, job } = plan;
  const { folder } = machinePaths(store, name);
  const diskMax = bytesIn(settings.limits.disk_max) ?? null;
  const storage = await chooseStorage(
    host,
    facts,
    settings.storage,
    store,
    folder,
    chroot.path,
    diskMax !== null,
  );
  const now = host.clock.now();
  const leases = await leasesOfHost(host, store);
  return {
    version: 1,
    machine: name,
    store,
    boot: facts.boot,
    created: timeOf(now),
    began: timeOf(job.began),
    deadline: timeOf(now + job.lifetime * 1000),
    job: job.id,
    server: job.server ?? null,
    timeout: job.timeout ?? null,
    runner,
    keep: job.keep,
    chroot: { name: chroot.name, path: chroot.path },
    storage: storage.kind,
    supervisor: supervisor.kind,
    booted: settings.boot && await hasInit(host, chroot.path),
    shell: settings.shell,
    user: await findUser(host, chroot.path, chroot.user),
    ...await idsFor(host, settings.private_users, storage, store, leases, chroot.path),
    network: network.kind === "private"
      ? { kind: "private", slot: freeSlot(plan.networks, leases, facts.links) }
      : { kind: network.kind },
    diskMax,
    folders: [],
    cgroups: supervisor.cgroupsFor(facts, name),
    preparer: parseStat(facts.stat),
    leader: null,
    held: null,
  };
}

async function idsFor(
  host: Host,
  choice: MachineSettings["private_users"],
  storage: Storage,
  store: string,
  leases: readonly Lease[],
  chroot: string,
): Promise<Pick<Lease, "ids" | "layer">> {
  if (choice === "off") return HOSTS_IDS;
  const ids = freeIds(leases);
  // nspawn maps the owners of a whole root itself, and what lies below an overlay is ours to map.
  const isMapped = storage.kind === "btrfs" || await canMapOwners(host, chroot);
  if (isMapped) return { ids, layer: null };
  const [{ canShift }, { shiftedLayerPath }] = await Promise.all([
    import("../storage/shifted/shift.ts"),
    import("../storage/shifted/layer.ts"),
  ]);
  const layer = await canShift(host, store) ? await shiftedLayerPath(host, store, chroot, ids) : null;
  return layer === null ? HOSTS_IDS : { ids, layer };
}

const HOSTS_IDS = { ids: null, layer: null } as const;

/** One whose interface is there is another store's, or its machine has only just ended. */
function freeSlot(
  { network_range }: NetworkPlan,
  leases: readonly Lease[],
  links: readonly string[],
): number {
  const taken = new Set(
    leases.map(({ network }) => network.kind === "private" ? linkOf(network.slot) : ""),
  );
  for (const link of links) taken.add(link);
  for (let slot = 0; slot < slotsIn(network_range); slot++) {
    if (!taken.has(linkOf(slot))) return slot;
  }
  throw hostFailure(
    "Cannot give the machine a network of its own: all addresses are taken",
    "network_range gives machines more",
  );
}

function timeOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

/** A machine boots where its chroot has systemd, and a bus to reach it by. */
async function hasInit(host: Host, chroot: string): Promise<boolean> {
  const has = async (path: string) => await host.files.lstat(`${chroot}/${path}`) !== null;
  return (await has("usr/lib/systemd/systemd") || await has("lib/systemd/systemd")) &&
    (await has("usr/bin/dbus-daemon") || await has("usr/bin/dbus-broker"));
}
