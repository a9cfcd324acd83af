/** Makes the storage and the files of a reserved machine, and the specification by which a supervisor starts it. */

import { basename, join } from "@std/path/posix";
import type { Limits } from "../../config/settings.ts";
import type { Host } from "../../host/host.ts";
import { timezoneOptions } from "../../linux/time_zone.ts";
import { openChannel } from "../exec/channel.ts";
import { ONE_ROOT_SERVER } from "../exec/stage_server.ts";
import { copyEntryTools } from "../exec/tools.ts";
import type { ChosenNetwork, NetworkDetails } from "../network/choose.ts";
import { resolvFile } from "../network/resolv.ts";
import { type Veth, vethFor } from "../network/veth.ts";
import {
  type BootMasks,
  bootMasksFor,
  NO_BOOT_MASKS,
  writeGeneratorMasks,
} from "../nspawn/boot_masks.ts";
import { machineDevices } from "../nspawn/devices.ts";
import { refuseUnsafeNesting } from "../nspawn/privileges.ts";
import type { MachineSpec } from "../nspawn/spec.ts";
import type { Bind } from "../record/caches.ts";
import type { Lease } from "../record/lease.ts";
import { isPulledImage } from "../record/lower.ts";
import { machinePaths } from "../record/paths.ts";
import type { MachinePlan } from "../record/plan.ts";
import { storageOf } from "../storage/choose.ts";
import { upperLayerIn } from "../storage/overlay.ts";
import { hostsFile } from "./hosts_file.ts";
import type { StartObserver } from "./observer.ts";
import type { Reservation } from "./reserve.ts";
import { userManagerFor, writeUserManager } from "./user_manager.ts";

/**
 * Builds a machine. After a failure the caller removes what was made.
 *
 * @throws {Failure} where a part cannot be made, or the start is interrupted.
 */
export async function buildMachine(
  host: Host,
  plan: MachinePlan,
  reservation: Reservation,
  network: ChosenNetwork,
  interrupt: AbortSignal,
  observer: StartObserver = {},
): Promise<MachineSpec> {
  const { name, settings, job } = plan;
  const { lease, tree } = reservation;
  const { booted, ids, layer, chroot, store } = lease;
  // A build needs no containers: where it cannot have them, it goes without.
  if (!plan.changesTree) refuseUnsafeNesting(settings, ids);
  const paths = machinePaths(store, name);
  const [devices, bootMasks, timezone] = await Promise.all([
    machineDevices(host, settings),
    booted ? bootMasksFor(host, chroot.path) : NO_BOOT_MASKS,
    timezoneOptions(host, chroot.path),
  ]);
  await createStorage(host, reservation, interrupt);
  const shared = await sharedBinds(host, plan, reservation);
  observer.onStorage?.({ ids, binds: shared });
  const binds = [
    ...await createFiles(host, plan, reservation, bootMasks, network),
    ...shared.filter((bind) => !reservation.binds.includes(bind)),
  ];
  const details = await network.details; // last, since the network may still be examined
  return {
    ...{ name, paths, settings, booted, ids, devices, bootMasks, timezone, binds },
    onLeader: observer.onLeader,
    helper: tree.helper,
    root: storageOf(lease.storage).root(chroot.lower, paths.folder, ids, layer),
    network: lease.network.kind,
    resolvConf: await resolvFile(host, paths, details.resolvers),
    link: vethOf(plan, lease, details),
    lifetime: job.lifetime,
  };
}

/**
 * Returns the binds of the folders that the machine of a job shares with its services. A folder that no bind has yet is made
 * beside the machine's other writes; the machines have the same user ids, so that its files need no other owners.
 */
async function sharedBinds(
  host: Host,
  { name, owned, services = [] }: MachinePlan,
  { lease: { store, storage, diskMax, ids }, binds }: Reservation,
): Promise<Bind[]> {
  if (services.length === 0) return [];
  const { folder, shared } = machinePaths(store, name);
  if (diskMax !== null) await storageOf(storage).makeLimited?.(host, folder, shared);
  return await Promise.all(owned.map(async (to) => {
    const bound = binds.find((bind) => bind.to === to);
    if (bound !== undefined) return bound;
    const from = join(shared, basename(to));
    await host.files.makeDirectory(from, 0o755);
    if (ids !== null) await host.files.chown(from, ids, ids);
    return { from, to, readOnly: false, keepsDiskOwners: false };
  }));
}

async function createStorage(
  host: Host,
  { lease, tree }: Reservation,
  interrupt: AbortSignal,
): Promise<void> {
  const { chroot, ids, layer, diskMax, storage } = lease;
  const { folder } = machinePaths(lease.store, lease.machine);
  if (layer !== null) {
    const { makeShiftedLayer } = await import("../storage/shifted/make.ts");
    await makeShiftedLayer(host, layer, tree, interrupt);
  }
  await host.files.makeDirectory(folder);
  host.log.step(`Making storage ${storage} in ${folder}`);
  await storageOf(storage).create(host, chroot.lower, folder, ids, diskMax);
  if (!isPulledImage(chroot)) return;
  const { makeImageFolders } = await import("../storage/image_folders.ts");
  await makeImageFolders(host, upperLayerIn(folder), ids);
}

/** Makes the program's own files that the machine sees, and returns all of its binds. */
async function createFiles(
  host: Host,
  { settings, name, owned, changesTree, input }: MachinePlan,
  { lease, tree, binds }: Reservation,
  bootMasks: BootMasks,
  network: ChosenNetwork,
): Promise<readonly Bind[]> {
  const { user, ids, diskMax } = lease;
  const paths = machinePaths(lease.store, name);
  const manager = changesTree ? null : await userManagerFor(host, tree.path, lease);
  const environment = [
    ...tree.environment,
    ...manager?.environment ?? [],
    ...threadLimit(lease, settings.limits),
  ];
  const channel = { user, ids, owned, environment, limited: diskMax !== null };
  const own: Bind[] = [];
  if (tree.program !== undefined) {
    const { openServiceChannel } = await import("../exec/service_channel.ts");
    const service = { tree: tree.path, program: tree.program };
    own.push(...await openServiceChannel(host, paths, service, channel));
  } else if (tree.helper === null) {
    await openChannel(host, paths, { ...channel, server: ONE_ROOT_SERVER });
  } else {
    const { openTwoRootChannel } = await import("../exec/two_root_channel.ts");
    await openTwoRootChannel(host, paths, tree, channel);
  }
  if (input !== undefined) {
    const { bindInput } = await import("./input.ts");
    own.push(...await bindInput(host, paths, input, tree.helper !== null));
  }
  await writeGeneratorMasks(host, paths.stage, bootMasks);
  await copyEntryTools(host, { settings, ...lease }, paths.tools);
  if (changesTree) return binds; // what is written to /etc/hosts belongs to the tree
  const hosts = await hostsFile(host, tree.path, paths, name, settings.extra_hosts);
  if (ids !== null) await host.files.chown(hosts.from, ids, ids);
  if (manager !== null) own.push(await writeUserManager(host, paths, manager));
  if (tree.helper !== null && tree.program === undefined) {
    const { networkFilesOfHelper } = await import("./helper_mounts.ts");
    own.push(...await networkFilesOfHelper(host, hosts.from, network));
  }
  return [hosts, ...own, ...binds];
}

/**
 * Returns the variable by which nproc(1) and OpenMP keep to the machine's quota of the CPU, rounded up; they do not
 * read cgroups. The last one of a name has the least weight: the image's own prevails.
 */
function threadLimit({ supervisor }: Lease, { cpu_quota }: Limits): string[] {
  if (cpu_quota === "infinity" || supervisor !== "systemd") return [];
  return [`OMP_THREAD_LIMIT=${Math.ceil(parseInt(cpu_quota) / 100)}`];
}

function vethOf(
  { networks }: MachinePlan,
  { network }: Lease,
  { ipv6 }: NetworkDetails,
): Veth | null {
  return network.kind === "private" ? vethFor(networks.network_range, network.slot, ipv6) : null;
}
