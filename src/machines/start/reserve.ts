/** Reserves user ids, a network slot and folders for a machine, and records them in its lease. */

import { join } from "@std/path/posix";
import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { parseStat } from "../../linux/proc.ts";
import type { Supervisor } from "../supervisor/supervisor.ts";
import { type Bind, reserveFolders } from "../record/caches.ts";
import type { MachineDescription } from "../record/description.ts";
import { freeIds, idsOfContainers, idsOfUsers, type TakenIds } from "../record/ids.ts";
import {
  type CommonLease,
  type Lease,
  leasesOfHost,
  machineId,
  otherHostFailure,
  type ServiceRole,
  writeLease,
} from "../record/lease.ts";
import { whileReserving } from "../record/lock.ts";
import { interfaceName, slotCount } from "../network/address.ts";
import type { NetworkPlan } from "../record/network.ts";
import { leaseLink, machinePaths } from "../record/paths.ts";
import type { BaseTree, MachinePlan, PlannedJob } from "../record/plan.ts";
import {
  diskMaxOf,
  type FileOwners,
  isCurrent,
  planTree,
  snapshotTree,
  type TreePlan,
} from "./plan_tree.ts";
import type { StartObserver } from "./observer.ts";
import type { PreparedHost } from "./prepare_host.ts";

/** What is reserved for one machine. */
export interface Reservation {
  /** The lease as it was written. */
  readonly lease: Lease;
  readonly tree: BaseTree;
  readonly binds: readonly Bind[];
}

/** How often a machine is planned at most: it is planned again where maintenance replaced the tree meanwhile. */
const ATTEMPTS = 10;

/**
 * Plans the machine on the current tree of its chroot, then reserves what it needs while no other machine does.
 * From then on the lease protects the tree. Probes of the host happen before the host-wide lock is taken; if
 * maintenance replaces the tree meanwhile, the machine is planned again.
 *
 * @param observer Is called where the wait for the lock begins and ends.
 * @throws {Failure} where the host or the tree lacks what the plan demands, or all ids or slots are taken.
 */
export async function reserve(
  host: Host,
  plan: MachinePlan,
  prepared: PreparedHost,
  interrupt: AbortSignal,
  observer: StartObserver = {},
): Promise<Reservation> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const planned = await planCurrentTree(host, plan, prepared, interrupt);
    if (planned === null) continue;
    if (planned.owners.kind === "host") await plan.onUnconfined?.(planned.tree, planned.booted);
    observer.onPart?.("queue");
    const reservation = await whileReserving(host, async () => {
      observer.onPart?.("reserve");
      return await isCurrent(host, plan, planned)
        ? await writeReservation(host, plan, prepared, planned)
        : null;
    }, interrupt);
    if (reservation !== null) return reservation;
  }
  throw hostFailure(
    `Cannot start machine ${plan.name}: its chroot was replaced during each of ${ATTEMPTS} attempts`,
    "Try again when no process changes it: nspawn-runner chroot-list",
  );
}

/** Returns null where planning failed because maintenance removed the tree: no lease protects it yet. */
async function planCurrentTree(
  host: Host,
  plan: MachinePlan,
  ready: PreparedHost,
  interrupt: AbortSignal,
): Promise<TreePlan | null> {
  const found = await snapshotTree(host, plan);
  try {
    return await planTree(host, plan, ready, found, interrupt);
  } catch (error) {
    if (await isCurrent(host, plan, found)) throw error;
    return null;
  }
}

/** Takes no longer than a moment: all other machines of the host wait meanwhile. */
async function writeReservation(
  host: Host,
  plan: MachinePlan,
  ready: PreparedHost,
  planned: TreePlan,
): Promise<Reservation> {
  const { store, folders } = plan;
  const leases = await leasesOfHost(host, store);
  const hostId = await machineId(host);
  const failure = otherHostFailure(leases, hostId);
  if (failure !== null) throw failure;
  const { folders: reserved, binds } = folders === undefined
    ? { folders: [], binds: [] }
    : await reserveFolders(host, store, folders, writersOf(planned));
  const [containers, users] = await Promise.all([idsOfContainers(host), idsOfUsers(host)]);
  const lease = {
    ...newLease(host, plan, ready, planned, { leases, containers, users, hostId }),
    folders: reserved,
  };
  await writeLease(host, lease);
  // Commands find a lease of any store by this link. An old link of that name may lead to another store.
  await host.files.remove(leaseLink(lease.machine));
  await host.files.symlink(machinePaths(store, lease.machine).lease, leaseLink(lease.machine));
  return { lease, tree: planned.tree, binds: [...plan.binds, ...binds] };
}

/** In a helper root, the stages that move archives of caches may read and replace those of every user. */
function writersOf({ user, tree }: TreePlan): { cache: number; builds: number } {
  const builds = user?.uid ?? 0;
  return { cache: tree.helper === null ? builds : 0, builds };
}

/** What other machines, containers and users have. */
interface Taken extends TakenIds {
  readonly leases: readonly CommonLease[];
  /** The id of this host. */
  readonly hostId: string | null;
}

function newLease(
  host: Host,
  plan: MachinePlan,
  { kernel, runner, supervisor, network }: PreparedHost,
  { tree, storage, booted, user, owners }: TreePlan,
  taken: Taken,
): Lease {
  const { name, store, settings, job } = plan;
  return {
    version: 1,
    machine: name,
    store,
    host: taken.hostId,
    boot: kernel.boot,
    ...jobFields(job, host.clock.now()),
    deadlineUptime: kernel.uptime === null ? null : Math.ceil(kernel.uptime + job.lifetime),
    runner,
    chroot: { name: tree.name, path: tree.path, lower: tree.lower },
    helper: tree.helper?.path ?? null,
    storage: storage.kind,
    supervisor: supervisor.kind,
    booted,
    shell: settings.shell,
    user,
    ...idsFor(owners, taken, plan.service?.shared.ids ?? null),
    network: network.kind === "private"
      ? { kind: "private", slot: freeSlot(plan.networks, taken.leases, kernel.links) }
      : { kind: network.kind },
    diskMax: diskMaxOf(plan),
    folders: [],
    cgroups: supervisor.cgroupsFor(kernel, name),
    preparer: parseStat(kernel.stat),
    leader: null,
    held: null,
    services: plan.services ?? [],
    service: serviceRole(plan, kernel.stat),
    description: describeMachine(plan, tree, supervisor),
  };
}

/** The record of a job describes its services, too: their own leases have no description. */
function describeMachine(
  { job, settings: { limits }, service }: MachinePlan,
  { generation, pulled }: BaseTree,
  { enforcesLimits }: Supervisor,
): MachineDescription | null {
  if (job.description === null || service !== undefined) return null;
  return {
    ...job.description,
    generation,
    digest: pulled?.digest ?? null,
    wasPulled: pulled !== undefined && Date.parse(pulled.pulled) >= job.began,
    limits: enforcesLimits ? limits : { disk_max: limits.disk_max },
  };
}

function jobFields(job: PlannedJob, now: number) {
  return {
    created: timeOf(now),
    began: timeOf(job.began),
    deadline: timeOf(now + job.lifetime * 1000),
    job: job.id,
    server: job.server ?? null,
    timeout: job.timeout ?? null,
    keep: job.keepSeconds,
  };
}

function serviceRole({ service }: MachinePlan, stat: string): ServiceRole | null {
  const starter = parseStat(stat);
  if (service === undefined || starter === null) return null;
  const { job, aliases, image } = service;
  return { job, aliases, image, reports: service.hasProgram, starter };
}

/** @param shared The ids of the job's machine, for the machine of a service. */
function idsFor(
  owners: FileOwners,
  taken: Taken,
  shared: number | null,
): Pick<Lease, "ids" | "layer"> {
  if (owners.kind === "host") return { ids: null, layer: null };
  const ids = shared ?? freeIds(taken);
  return { ids, layer: owners.kind === "shifted" ? join(owners.layers, `${ids}`) : null };
}

/** The interface of a slot may belong to another store, or to a machine that has only just ended. */
function freeSlot(
  { network_range }: NetworkPlan,
  leases: readonly CommonLease[],
  links: readonly string[],
): number {
  const taken = new Set(
    leases.map(({ network }) => network.kind === "private" ? interfaceName(network.slot) : ""),
  );
  for (const link of links) taken.add(link);
  for (let slot = 0; slot < slotCount(network_range); slot++) {
    if (!taken.has(interfaceName(slot))) return slot;
  }
  throw hostFailure(
    "Cannot give the machine a network of its own: all addresses are taken",
    "Set a larger network_range in the configuration",
  );
}

function timeOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
