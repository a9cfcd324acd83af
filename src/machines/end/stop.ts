/** The end of a machine. */

import { messageOf } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { sweepExport } from "../../linux/nspawn_leftovers.ts";
import { removeStrangersTree } from "../../linux/untrusted_tree.ts";
import { closeChannel } from "../exec/channel.ts";
import { readFailures } from "../report/failures.ts";
import {
  findLease,
  type Lease,
  readLease,
  removeLease,
  type StoreFinder,
  writeLease,
} from "../record/lease.ts";
import { unlessLocked, whileLocked } from "../record/lock.ts";
import { heldName, type MachineName } from "../record/name.ts";
import { leaseLink, machinePaths } from "../record/paths.ts";
import { storageOf } from "../storage/choose.ts";
import { isRunning, supervisorOf } from "../supervisor/choose.ts";
import { stopUnit } from "../supervisor/systemd.ts";

/** What became of a machine. */
export type StopResult = "removed" | "held" | "none";

/**
 * Ends a machine and removes all that it wrote. Fine when there is none. Where a script of its job
 * failed, and that is asked for, what it wrote is kept for a while.
 *
 * @param host The outside.
 * @param store Tells the store's folder, where it has to be known.
 * @param name The machine.
 * @returns What became of it.
 * @throws {Failure} of the host when something stays.
 */
export async function stopMachine(
  host: Host,
  store: StoreFinder,
  name: MachineName,
): Promise<StopResult> {
  const stop = async (): Promise<StopResult> => {
    const lease = await findLease(host, name, store);
    if (lease === null) {
      // A prepare that was killed before it wrote a lease was trying its storage at most.
      await removeStrangersTree(host, machinePaths(await store(), name).folder);
      return "none";
    }
    if (await isWorthALook(host, lease) && await holdMachine(host, lease)) return "held";
    await removeMachine(host, lease);
    return "removed";
  };
  // GitLab Runner calls cleanup once: what fails is for the next sweep.
  return await whileLocked(host, name, stop, true);
}

/**
 * Ends a machine, and removes all that there is of it; the lease goes last.
 *
 * @param host The outside.
 * @param lease Whose machine.
 * @throws {Failure} of the host when something stays.
 */
export async function removeMachine(host: Host, lease: Lease): Promise<void> {
  const { folder } = machinePaths(lease.store, lease.machine);
  await endMachine(host, lease);
  host.log.step(`Removing what it wrote: ${folder}`);
  await storageOf(lease.storage).remove(host, folder);
  await removeLease(host, lease);
}

/** A machine that was lost is not, nor is one whose own scripts all went well. */
async function isWorthALook(host: Host, lease: Lease): Promise<boolean> {
  return lease.keep > 0 && (await readFailures(host, lease)).own && await isRunning(host, lease);
}

/** Ends all that runs, and takes away what leads to it. */
async function endMachine(host: Host, lease: Lease): Promise<void> {
  host.log.step(`Ending machine ${lease.machine}`);
  await supervisorOf(lease).stop(host, lease);
  await closeChannel(host, machinePaths(lease.store, lease.machine));
  await host.files.remove(leaseLink(lease.machine));
  // A start that was killed may have asked systemd after that look; what it asks from now on needs the link.
  if (lease.supervisor === "systemd") await stopUnit(host, lease.machine);
  await sweepExport(host, lease.machine);
}

/**
 * Keeps what a machine wrote, under a name of its own: the job's own name is free for a new machine. At
 * each instant one of the two leases says what there is. False where it cannot be kept.
 */
async function holdMachine(host: Host, lease: Lease): Promise<boolean> {
  const machine = heldName(lease.machine);
  let isHeld = false;
  try {
    await unlessLocked(host, machine, async () => {
      await moveToHeld(host, lease, machine);
      isHeld = true;
      return "settled";
    });
  } catch (error) {
    host.log.step(`Cannot keep what ${lease.machine} wrote: ${messageOf(error)}`);
  }
  return isHeld;
}

async function moveToHeld(host: Host, lease: Lease, machine: MachineName): Promise<void> {
  const until = new Date(host.clock.now() + lease.keep * 1000).toISOString();
  const old = await readLease(host, lease.store, machine);
  if (old !== null) await removeMachine(host, old);
  await endMachine(host, lease);
  const nothing = { leader: null, cgroups: [], folders: [], network: { kind: "none" } } as const;
  const held: Lease = { ...lease, ...nothing, machine, held: until };
  await writeLease(host, held);
  const [from, to] = [lease.machine, machine].map((name) => machinePaths(lease.store, name).folder);
  try {
    await storageOf(lease.storage).move(host, from!, to!);
  } catch (error) {
    await removeLease(host, held);
    throw error;
  }
  await removeLease(host, lease);
  host.log.step(`Keeping what it wrote until ${until}: ${to}`);
}
