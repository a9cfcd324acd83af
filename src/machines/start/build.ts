/** Makes a machine of what it was promised. */

import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { timezoneOptions } from "../../linux/time_zone.ts";
import type { Claimed } from "./reserve.ts";
import { machineDevices } from "../nspawn/devices.ts";
import { openChannel } from "../exec/script.ts";
import { copyEntryTools } from "../exec/tools.ts";
import type { Bind } from "../record/caches.ts";
import { hostsFile } from "./hosts_file.ts";
import { type BootMasks, bootMasksFor, writeGeneratorMasks, NO_BOOT_MASKS } from "../nspawn/boot_masks.ts";
import { verifyIds } from "../nspawn/verify_ids.ts";
import { type Lease, writeLease } from "../record/lease.ts";
import type { ChosenNetwork } from "../network/choose.ts";
import { linkFor } from "../network/veth.ts";
import { resolvFile } from "../network/resolv.ts";
import { nspawnVersion } from "../../linux/nspawn.ts";
import { machinePaths } from "../record/paths.ts";
import type { MachinePlan } from "../record/plan.ts";
import { verifyPrivileges, refuseUnsafeNesting } from "../nspawn/privileges.ts";
import type { MachineSpec } from "../nspawn/spec.ts";
import { storageOf } from "../storage/choose.ts";
import type { Supervisor } from "../supervisor/supervisor.ts";

/**
 * Makes a machine, starts it, and proves from the host that it is no less safe than it was promised.
 *
 * @param host The outside.
 * @param plan What it is to be.
 * @param claimed What it has.
 * @param supervisor Who keeps it.
 * @param network What it sees of the network.
 * @param interrupt Gives up when aborted.
 * @returns Its lease, which is written.
 * @throws {Failure} where it does not start, or is not what it is to be; what was made is the caller's to undo.
 */
export async function create(
  host: Host,
  plan: MachinePlan,
  claimed: Claimed,
  supervisor: Supervisor,
  network: ChosenNetwork,
  interrupt: AbortSignal,
): Promise<Lease> {
  const { lease } = claimed;
  refuseUnsafeNesting(plan.settings, lease.ids);
  const [devices, idle, timezone, version] = await Promise.all([
    machineDevices(host, plan.settings),
    lease.booted ? bootMasksFor(host, lease.chroot.path) : NO_BOOT_MASKS,
    timezoneOptions(host, lease.chroot.path),
    nspawnVersion(host),
  ]);
  await makeRoot(host, claimed, interrupt);
  const binds = await layOut(host, plan, claimed, idle);
  const found = { binds, devices, bootMasks: idle, timezone, nspawnVersion: version };
  const spec = await specOf(host, plan, lease, network, found);
  host.log.step(`Starting machine ${plan.name} from ${lease.chroot.path}`);
  const seen = await supervisor.start(host, spec, lease, interrupt);
  verifyPrivileges(seen, spec);
  if (lease.ids !== null) await verifyIds(host, seen, lease.ids, lease.chroot.path);
  const { idMap: _map, rootOwner: _owner, ...leader } = seen;
  const started = { ...lease, leader, preparer: null };
  await writeLease(host, started);
  if (interrupt.aborted) throw hostFailure("interrupted");
  return started;
}

/** What it writes to, over its chroot. */
async function makeRoot(
  host: Host,
  { lease, isFixed }: Claimed,
  interrupt: AbortSignal,
): Promise<void> {
  const { chroot, ids, layer, diskMax, storage } = lease;
  const { folder } = machinePaths(lease.store, lease.machine);
  if (layer !== null) {
    const { makeShiftedLayer } = await import("../storage/shifted/make.ts");
    await makeShiftedLayer(host, layer, { path: chroot.path, isFixed }, interrupt);
  }
  await host.files.makeDirectory(folder);
  host.log.step(`Making storage ${storage} in ${folder}`);
  await storageOf(storage).create(host, chroot.path, folder, ids, diskMax);
}

/** What is ours and it sees. */
async function layOut(
  host: Host,
  { settings, name, owned }: MachinePlan,
  { lease, binds, environment }: Claimed,
  idle: BootMasks,
): Promise<readonly Bind[]> {
  const { user, ids, diskMax, chroot } = lease;
  const paths = machinePaths(lease.store, name);
  await openChannel(host, paths, { user, ids, owned, environment, limited: diskMax !== null });
  await writeGeneratorMasks(host, paths.stage, idle);
  const hosts = await hostsFile(host, chroot.path, paths, name);
  if (ids !== null) await host.files.chown(hosts.from, ids, ids);
  await copyEntryTools(host, { settings, ...lease }, paths.tools);
  return [hosts, ...binds];
}

async function specOf(
  host: Host,
  { name, settings, job, networks }: MachinePlan,
  lease: Lease,
  network: ChosenNetwork,
  found: Pick<MachineSpec, "binds" | "devices" | "bootMasks" | "timezone" | "nspawnVersion">,
): Promise<MachineSpec> {
  const paths = machinePaths(lease.store, name);
  const { chroot, ids, layer, booted } = lease;
  return {
    name,
    root: storageOf(lease.storage).root(chroot.path, paths.folder, ids, layer),
    paths,
    ...found,
    settings,
    booted,
    ids,
    network: lease.network.kind,
    resolvConf: await resolvFile(host, paths, network.resolvers),
    link: lease.network.kind === "private"
      ? linkFor(networks.network_range, lease.network.slot, network.ipv6, settings.prepare_timeout)
      : null,
    lifetime: job.lifetime,
  };
}
