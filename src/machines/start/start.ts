/** Starts machines: reserve, build, start, verify. */

import { Failure, hostFailure, messageOf } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { refuseFullDisk } from "../end/free_space.ts";
import {
  findLease,
  type Lease,
  machineId,
  otherHostFailure,
  readLease,
  writeLease,
} from "../record/lease.ts";
import { whileMachineLocked } from "../record/lock.ts";
import { idOf } from "../record/name.ts";
import type { MachinePlan } from "../record/plan.ts";
import { markStore } from "../record/store_owner.ts";
import { supervisorOf } from "../supervisor/choose.ts";
import { buildMachine } from "./build.ts";
import type { StartObserver } from "./observer.ts";
import type { PreparedHost } from "./prepare_host.ts";
import { type Reservation, reserve } from "./reserve.ts";
import { verifyMachine } from "./verify.ts";

/**
 * Starts a machine, and waits until commands can run in it. First removes a dead machine of that name. After a
 * failure or an interrupt, removes everything that was made.
 *
 * @param observer Is called while the machine starts.
 * @returns The machine's lease.
 * @throws {Failure} of the host, also where a machine of that name is alive.
 */
export async function startMachine(
  host: Host,
  plan: MachinePlan,
  prepared: PreparedHost,
  interrupt: AbortSignal,
  observer: StartObserver = {},
): Promise<Lease> {
  const { kernel: { boot, mounts }, supervisor } = prepared;
  // Also checked before the lock is taken: if this process were killed while it holds the lock, the next housekeeping
  // would end the living machine of that name.
  await refuseLiving(host, await leasesOf(host, plan), boot);
  observer.onPart?.("queue");
  return await whileMachineLocked(host, plan.name, async () => {
    observer.onPart?.("reserve");
    const existing = await leasesOf(host, plan);
    await refuseLiving(host, existing, boot);
    await refuseOtherHosts(host, existing);
    for (const lease of existing) await remove(host, lease, "the job was prepared again");
    if (prepared.freeBytes < plan.diskReserve) {
      const { store, diskReserve, freeMore } = plan;
      await refuseFullDisk(host, store, diskReserve, supervisor.kind, interrupt, freeMore);
    }
    if (interrupt.aborted) throw interrupted(plan);
    await host.files.makeDirectory(plan.store, 0o755);
    await markStore(host, plan.store, mounts);
    const reservation = await reserve(host, plan, prepared, interrupt, observer);
    observer.onReserved?.();
    try {
      return await startReserved(host, plan, reservation, prepared, interrupt, observer);
    } catch (error) {
      await undo(host, reservation.lease);
      throw interrupt.aborted ? interrupted(plan) : error;
    }
  });
}

async function startReserved(
  host: Host,
  plan: MachinePlan,
  reservation: Reservation,
  { supervisor, network }: PreparedHost,
  interrupt: AbortSignal,
  observer: StartObserver,
): Promise<Lease> {
  const { lease, tree } = reservation;
  plan.onReserved?.(tree);
  observer.onPart?.("build");
  const spec = await buildMachine(host, plan, reservation, network, interrupt, observer);
  observer.onPart?.("start");
  host.log.step(`Starting machine ${plan.name} from ${tree.path}`);
  const init = await supervisor.start(host, spec, lease, interrupt);
  const leader = await verifyMachine(host, init, spec, tree);
  if (spec.helper !== null && tree.program === undefined) {
    const { mountInHelper } = await import("./helper_mounts.ts");
    await mountInHelper(host, spec.paths, leader, spec.ids);
  }
  const started = { ...lease, leader, preparer: null };
  await writeLease(host, started);
  if (interrupt.aborted) throw interrupted(plan);
  return started;
}

async function undo(host: Host, lease: Lease): Promise<void> {
  try {
    await remove(host, lease);
  } catch (error) {
    host.log.warn(messageOf(error)); // the failure before this one is thrown
  }
}

/** Few starts have a machine to remove, and the others do not load what does it. */
async function remove(host: Host, lease: Lease, reason?: string): Promise<void> {
  const { removeMachine } = await import("../end/stop.ts");
  await removeMachine(host, lease, reason);
}

/** Returns the leases of that name: in this store, and in the store that the name's link leads to. */
async function leasesOf(host: Host, plan: MachinePlan): Promise<Lease[]> {
  const linked = await findLease(host, plan.name, () => Promise.resolve(plan.store));
  const own = await readLease(host, plan.store, plan.name);
  const leases = linked?.store === own?.store ? [own] : [linked, own];
  return leases.filter((lease) => lease !== null);
}

async function refuseLiving(host: Host, leases: readonly Lease[], boot: string): Promise<void> {
  for (const lease of leases) {
    if (lease.boot !== boot || !await supervisorOf(lease).isAlive(host, lease)) continue;
    throw new Failure(
      "host",
      `Cannot start machine ${lease.machine}: it exists already`,
      `End it first: nspawn-runner cleanup --id ${idOf(lease.machine)}`,
    );
  }
}

/** A machine of another host is not removed, whatever its state on this host. */
async function refuseOtherHosts(host: Host, leases: readonly Lease[]): Promise<void> {
  const failure = leases.length === 0 ? null : otherHostFailure(leases, await machineId(host));
  if (failure !== null) throw failure;
}

function interrupted({ name }: MachinePlan): Error {
  return hostFailure(`Cannot start machine ${name}: interrupted`);
}
