/** The start of a machine. */

import type { MachineSettings } from "../config/settings.ts";
import { Failure, hostFailure, messageOf } from "../failure.ts";
import type { Host } from "../host/host.ts";
import { machineDevices } from "./devices.ts";
import { entryTools } from "./entry/tools.ts";
import { openChannel } from "./entry/script.ts";
import { type Bind, claimFolders, type FolderPlan } from "./folders.ts";
import { callingRunner, type KernelFacts, kernelFacts } from "./kernel.ts";
import {
  findLease,
  type Lease,
  listLeases,
  readLease,
  type UsedChroot,
  writeLease,
} from "./lease.ts";
import { whileLocked, whileStoreLocked } from "./lock.ts";
import { idOf, type MachineName } from "./name.ts";
import { linkOf, slotsIn } from "./network/address.ts";
import { chooseNetwork, type ChosenNetwork } from "./network/choose.ts";
import { linkFor } from "./network/connect.ts";
import type { NetworkPlan } from "./network/network.ts";
import { resolvFile } from "./network/resolv.ts";
import { nspawnVersion } from "./nspawn.ts";
import { leaseLink, machinePaths } from "./paths.ts";
import { parseStat, type ProcessId } from "./process.ts";
import { provePrivileges, refuseUnsafeNesting } from "./privileges.ts";
import { removeMachine } from "./stop.ts";
import { hostsFile } from "./hosts_file.ts";
import { canMapOwners, freeIds, proveIds } from "./ids.ts";
import { bytesIn } from "../size.ts";
import { makeRoom, refuseFullDisk } from "./room.ts";
import { chooseStorage, storageOf } from "./storage/choose.ts";
import type { Storage } from "./storage/storage.ts";
import { supervisorOf, supervisorOfHost } from "./supervisor/choose.ts";
import type { Supervisor } from "./supervisor/supervisor.ts";
import { endOverdue, type Overdue } from "./sweep.ts";
import { findUser } from "./user.ts";

/** What a new machine is to be. */
export interface MachinePlan {
  readonly name: MachineName;
  readonly store: string;
  /** What it starts from, as that is when it begins to use it. */
  readonly chroot: () => Promise<PlannedChroot>;
  readonly settings: MachineSettings;
  readonly job: PlannedJob;
  /** Folders in the machine that belong to who runs scripts. */
  readonly owned: readonly string[];
  /** Bytes of the store's disk that are left for the host. */
  readonly diskReserve: number;
  /** What it sees of its project's folders; undefined where it belongs to no project. */
  readonly folders: FolderPlan | undefined;
  /** What else of the host it sees. */
  readonly binds: readonly Bind[];
  /** What private networks of this host have in common. */
  readonly networks: NetworkPlan;
}

/** What a machine starts from. */
export interface PlannedChroot extends UsedChroot {
  /** Who runs scripts: a user of the chroot, and perhaps a group after a colon; empty for root. */
  readonly user: string;
  /** What scripts find in their environment, `NAME=VALUE`. */
  readonly environment: readonly string[];
  /** Whether its tree never changes in place, as a generation; another program's may. */
  readonly isFixed: boolean;
}

/** The job that a machine is for. */
export interface PlannedJob {
  readonly id: string;
  /** A short hash of what tells its server from others; undefined by hand. */
  readonly server: string | undefined;
  /** Where its repository is; undefined where it has none. */
  readonly url: string | undefined;
  /** Who watches over it, and takes it along at the latest: the GitLab Runner that called us, we, or nobody. */
  readonly watcher: "gitlab-runner" | "us" | "nobody";
  /** When it began, in milliseconds since 1970. */
  readonly began: number;
  /** Seconds that GitLab gives it. */
  readonly timeout: number | undefined;
  /** Seconds from now on after which its machine may be ended, whoever watches over it. */
  readonly lifetime: number;
  /** Seconds for which what a failed script wrote is kept. */
  readonly keep: number;
}

/** A machine that was started. */
export interface Started {
  readonly lease: Lease;
  /** Whether its limits bind. */
  readonly limits: boolean;
  /** What else the job's log is to say. */
  readonly notes: readonly string[];
}

/**
 * Starts a machine: it takes commands when this returns. What a failure or an interrupt left half
 * made is undone. Before, what is left of machines that nobody watches over any more is removed.
 *
 * @param host The outside.
 * @param plan What it is to be.
 * @param interrupt Gives up when aborted.
 * @returns The machine.
 * @throws {Failure} of the host, or where such a machine exists already.
 */
export async function startMachine(
  host: Host,
  plan: MachinePlan,
  interrupt: AbortSignal,
): Promise<Started> {
  const [facts, calling, network] = await Promise.all([
    kernelFacts(host),
    plan.job.watcher === "gitlab-runner" ? callingRunner(host) : null,
    chooseNetwork(host, plan.settings.network, plan.networks, plan.job.url),
  ]);
  const runner = plan.job.watcher === "us" ? parseStat(facts.stat) : calling;
  const { boot } = facts;
  // Before the lock is taken, too: to be killed with it would be a trace at a machine that lives.
  await refuseLiving(host, plan, boot);
  return await whileLocked(host, plan.name, async () => {
    for (const dead of await refuseLiving(host, plan, boot)) await removeMachine(host, dead);
    const enough = host.clock.now() + SWEEP_PATIENCE;
    const end = async ({ lease, reason }: Overdue) => {
      if (interrupt.aborted || host.clock.now() > enough) return false;
      host.log.step(`Ending machine ${lease.machine}: ${reason}`);
      await removeMachine(host, lease);
      return true;
    };
    const leases = await listLeases(host, plan.store);
    await endOverdue(host, leases, { boot, runner }, end);
    await makeRoom(host, plan.store, leases, end);
    await refuseFullDisk(host, plan.store, plan.diskReserve);
    if (interrupt.aborted) throw hostFailure(`Cannot start machine ${plan.name}: interrupted`);
    return await start(host, plan, { facts, runner, network }, interrupt);
  });
}

/** Milliseconds that a job waits for what others left; the rest is left to the next one, or to gc. */
const SWEEP_PATIENCE = 10_000;

/** What a start finds out first. */
interface Found {
  readonly facts: KernelFacts;
  readonly runner: ProcessId | null;
  readonly network: ChosenNetwork;
}

async function start(
  host: Host,
  plan: MachinePlan,
  found: Found,
  interrupt: AbortSignal,
): Promise<Started> {
  const supervisor = await supervisorOfHost(host);
  await host.files.makeDirectory(plan.store, 0o755);
  const claimed = await claim(host, plan, supervisor, found);
  const { lease } = claimed;
  try {
    const started = await create(host, plan, claimed, supervisor, found.network, interrupt);
    return { lease: started, limits: supervisor.limits, notes: found.network.notes };
  } catch (error) {
    await undo(host, lease);
    throw interrupt.aborted ? hostFailure(`Cannot start machine ${plan.name}: interrupted`) : error;
  }
}

/** What a machine has for its own. */
interface Claimed {
  readonly lease: Lease;
  readonly binds: readonly Bind[];
  readonly environment: readonly string[];
  /** As {@linkcode PlannedChroot} has it. */
  readonly isFixed: boolean;
}

/** Writes the lease: the tree that it names stays from then on, and its folders are nobody else's. */
async function claim(
  host: Host,
  plan: MachinePlan,
  supervisor: Supervisor,
  found: Found,
): Promise<Claimed> {
  const { folders, store } = plan;
  return await whileStoreLocked(host, store, async () => {
    const chroot = await plan.chroot();
    const wanted = await newLease(host, plan, chroot, supervisor, found);
    const claimed = folders === undefined
      ? { folders: [], binds: [] }
      : await claimFolders(host, store, folders, wanted.user?.uid ?? 0);
    const lease = { ...wanted, folders: claimed.folders };
    await writeLease(host, lease);
    const binds = [...plan.binds, ...claimed.binds];
    return { lease, binds, environment: chroot.environment, isFixed: chroot.isFixed };
  });
}

async function create(
  host: Host,
  plan: MachinePlan,
  { lease, binds, environment, isFixed }: Claimed,
  supervisor: Supervisor,
  network: ChosenNetwork,
  interrupt: AbortSignal,
): Promise<Lease> {
  const { settings, name, store, owned } = plan;
  const { chroot } = lease;
  const paths = machinePaths(store, name);
  const storage = storageOf(lease.storage);
  refuseUnsafeNesting(settings, lease.ids);
  const devices = await machineDevices(host, settings);
  if (lease.layer !== null) {
    const { makeLayer } = await import("./layers/make.ts");
    await makeLayer(host, lease.layer, { path: chroot.path, isFixed }, interrupt);
  }
  await host.files.makeDirectory(paths.folder);
  host.log.step(`Making storage ${lease.storage} in ${paths.folder}`);
  await storage.open(host, chroot.path, paths.folder, lease.ids, lease.diskMax);
  const { user, ids, diskMax } = lease;
  await openChannel(host, paths, { user, ids, owned, environment, limited: diskMax !== null });
  const hosts = await hostsFile(host, chroot.path, paths, name);
  if (ids !== null) await host.files.chown(hosts.from, ids, ids);
  await host.files.remove(leaseLink(name)); // one that led to another store
  await host.files.symlink(paths.lease, leaseLink(name));
  const tools = await entryTools(host, { settings, ...lease }, paths.folder);
  const root = storage.root(chroot.path, paths.folder, lease.ids, lease.layer);
  const version = await nspawnVersion(host);
  const spec = {
    name,
    root,
    paths,
    binds: [hosts, ...tools, ...binds],
    devices,
    settings,
    booted: lease.booted,
    ids: lease.ids,
    network: lease.network.kind,
    resolvConf: await resolvFile(host, paths, network.resolvers),
    link: lease.network.kind === "private"
      ? linkFor(
        plan.networks.network_range,
        lease.network.slot,
        network.ipv6,
        settings.prepare_timeout,
      )
      : null,
    lifetime: plan.job.lifetime,
    nspawnVersion: version,
  };
  host.log.step(`Starting machine ${name} from ${chroot.path}`);
  const leader = await supervisor.start(host, spec, lease, interrupt);
  provePrivileges(leader, spec);
  if (lease.ids !== null) await proveIds(host, leader.pid, lease.ids, chroot.path);
  const started = { ...lease, leader, preparer: null };
  await writeLease(host, started);
  if (interrupt.aborted) throw hostFailure("interrupted");
  return started;
}

async function undo(host: Host, lease: Lease): Promise<void> {
  try {
    await removeMachine(host, lease);
  } catch (error) {
    host.log.warn(messageOf(error)); // the first failure is the one to report
  }
}

/**
 * Refuses a machine of that name that lives, in this store or in one where its link leads; tells the
 * leases of those that do not.
 */
async function refuseLiving(host: Host, plan: MachinePlan, boot: string): Promise<Lease[]> {
  const linked = await findLease(host, plan.name, () => Promise.resolve(plan.store));
  const own = await readLease(host, plan.store, plan.name);
  const leases = linked?.store === own?.store ? [own] : [linked, own];
  const there = leases.filter((lease) => lease !== null);
  for (const lease of there) {
    if (lease.boot !== boot || !await supervisorOf(lease).isAlive(host, lease)) continue;
    throw new Failure(
      "host",
      `Cannot start machine ${plan.name}: it exists already`,
      `End it first: nspawn-runner cleanup --id ${idOf(plan.name)}`,
    );
  }
  return there;
}

async function newLease(
  host: Host,
  plan: MachinePlan,
  chroot: PlannedChroot,
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
  const leases = await listLeases(host, store);
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
    cgroups: supervisor.cgroups(facts, name),
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
  const [{ canShift }, { layerOf }] = await Promise.all([
    import("./layers/shift.ts"),
    import("./layers/layer.ts"),
  ]);
  const layer = await canShift(host, store) ? await layerOf(host, store, chroot, ids) : null;
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
