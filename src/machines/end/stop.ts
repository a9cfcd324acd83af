/** Ends machines, and removes or keeps what they wrote. */

import { messageOf } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { removeExportMount } from "../../linux/nspawn_leftovers.ts";
import { removeUntrustedTree } from "../../linux/untrusted_tree.ts";
import { closeChannel } from "../exec/channel.ts";
import type { EndCall, JobRecording } from "../../history/end_of_job.ts";
import { readFailures } from "../report/failures.ts";
import {
  findLease,
  isOfOtherHost,
  type Lease,
  machineId,
  readLease,
  removeLease,
  type StoreFinder,
  writeLease,
} from "../record/lease.ts";
import { unlessMachineLocked, whileMachineLocked } from "../record/lock.ts";
import { heldName, type MachineName } from "../record/name.ts";
import { leaseLink, machinePaths, notesOf } from "../record/paths.ts";
import { finishArgv, moveAside, pathAside, startRemoval } from "./removal.ts";
import { storageOf } from "../storage/choose.ts";
import { isRunning, supervisorOf } from "../supervisor/choose.ts";
import { stopUnit } from "../supervisor/systemd.ts";

/** What was done with a machine: removed, or held (its writes are kept); none where there was no machine. */
export type StopResult = "removed" | "held" | "none";

/**
 * Ends a machine and removes what it wrote, or keeps it for a while where `keep_failed` is configured and a script of the
 * job failed. Does nothing where there is no such machine.
 *
 * @throws {Failure} of the host when something could not be removed.
 */
export async function stopMachine(
  host: Host,
  store: StoreFinder,
  name: MachineName,
): Promise<StopResult> {
  const called = host.clock.now();
  const stop = async (): Promise<StopResult> => {
    const lease = await findLease(host, name, store);
    if (lease === null) {
      // A prepare that was killed before it wrote a lease left at most the folder of a storage probe.
      await removeUntrustedTree(host, machinePaths(await store(), name).folder);
      return "none";
    }
    if (isOfOtherHost(lease, await machineId(host))) return "none";
    const holds = await shouldHold(host, lease);
    const record = await beginRecord(host, lease, { cause: { kind: "cleanup" }, called });
    // First, since their machines use folders of this one.
    const services = await Promise.allSettled(
      lease.services.map(({ machine }) => stopService(host, lease, machine, holds)),
    );
    const result = await holdOrDiscard(host, lease, holds, record);
    for (const service of services) if (service.status === "rejected") throw service.reason;
    return result;
  };
  // GitLab Runner calls cleanup only once: after a failure, the lock's file tells the next housekeeping to finish it.
  return await whileMachineLocked(host, name, stop, true);
}

const NO_RECORD: JobRecording = { draft: async () => {}, write: async () => {} };

/** A machine whose writes are kept has its record since it ended. The end of the machine counts more than the history. */
async function beginRecord(
  host: Host,
  lease: Lease,
  end: EndCall,
): Promise<JobRecording> {
  if (lease.description === null || lease.held !== null) return NO_RECORD;
  try {
    const { endOfJob } = await import("../../history/end_of_job.ts");
    return await endOfJob(host, lease, end);
  } catch (error) {
    host.log.step(`Cannot record job ${lease.job}: ${messageOf(error)}`);
    return NO_RECORD;
  }
}

/** Records the job before its lease goes: after a kill, gc finds the lease and records the job again. */
async function removeLastTraces(
  host: Host,
  lease: Lease,
  record: JobRecording,
  kept: string | null = null,
): Promise<void> {
  await record.write(kept);
  await host.files.remove(notesOf(lease.machine));
  await removeLease(host, lease);
}

async function holdOrDiscard(
  host: Host,
  lease: Lease,
  holds: boolean,
  record = NO_RECORD,
): Promise<StopResult> {
  if (holds && await holdMachine(host, lease, record)) return "held";
  await discardMachine(host, lease, record);
  return "removed";
}

async function stopService(
  host: Host,
  { store }: Lease,
  machine: MachineName,
  holds: boolean,
): Promise<void> {
  await whileMachineLocked(host, machine, async () => {
    const lease = await readLease(host, store, machine);
    if (lease !== null) await holdOrDiscard(host, lease, holds);
  }, true);
}

/**
 * Ends a machine and removes everything of it. The lease goes before what the machine wrote is removed, which happens in
 * the background.
 *
 * @param reason Why the machine of a job is ended without its cleanup, for the history; without it, the caller records the
 *   job itself.
 * @throws {Failure} of the host when something could not be removed.
 */
export async function removeMachine(host: Host, lease: Lease, reason?: string): Promise<void> {
  const record = reason === undefined ? NO_RECORD : await beginRecord(host, lease, {
    cause: { kind: "overdue", reason },
    called: host.clock.now(),
  });
  await removeRecorded(host, lease, record);
}

async function removeRecorded(host: Host, lease: Lease, record: JobRecording): Promise<void> {
  await endMachine(host, lease);
  await removeWrites(host, lease, record);
}

/** @param awaited The path to which they are moved where a removal in the background waits for it. */
async function removeWrites(
  host: Host,
  lease: Lease,
  record: JobRecording,
  awaited?: string,
): Promise<void> {
  const aside = await moveAside(host, lease.store, lease.machine, awaited);
  await removeLastTraces(host, lease, record);
  if (aside === null) return;
  host.log.step(`Removing what it wrote, in the background: ${aside}`);
  if (awaited === undefined) startRemoval(host, lease.supervisor, [aside]);
}

/**
 * Ends all processes of a machine and frees its name, ids and lease, like {@linkcode removeMachine}. What supervised the
 * machine ends in the background as well.
 *
 * @throws {Failure} of the host when something could not be removed.
 */
async function discardMachine(host: Host, lease: Lease, record: JobRecording): Promise<void> {
  const { store, machine } = lease;
  host.log.step(`Killing machine ${machine}`);
  // A file system of its own goes with its last user, and leaves nothing to remove.
  const awaited = hasOwnFileSystem(lease) ? undefined : pathAside(host, store, machine);
  const background = awaited === undefined ? [] : finishArgv(machine, awaited);
  const killed = await supervisorOf(lease).kill(host, lease, background);
  if (killed !== null) {
    await record.draft();
    await closeChannel(host, machinePaths(store, machine));
  }
  if (killed === null || !await killed()) {
    return await removeRecorded(host, lease, record);
  }
  // Not earlier: by the link other stores know that its user ids are taken.
  await host.files.remove(leaseLink(machine));
  await removeWrites(host, lease, record, awaited);
}

function hasOwnFileSystem({ storage, diskMax }: Lease): boolean {
  return storage === "tmpfs" || (storage === "overlay" && diskMax !== null);
}

/** Whether a script of the user failed, in a machine that still runs. */
async function shouldHold(host: Host, lease: Lease): Promise<boolean> {
  return lease.keep > 0 && (await readFailures(host, lease)).own && await isRunning(host, lease);
}

/** Ends the processes of a machine, and removes its files outside the store. */
async function endMachine(host: Host, lease: Lease): Promise<void> {
  host.log.step(`Ending machine ${lease.machine}`);
  await supervisorOf(lease).stop(host, lease);
  await closeChannel(host, machinePaths(lease.store, lease.machine));
  await host.files.remove(leaseLink(lease.machine));
  // A killed prepare may have asked systemd for the unit just now; from now on the unit needs the link to start.
  if (lease.supervisor === "systemd") await stopUnit(host, lease.machine);
  await removeExportMount(host, lease.machine);
}

/**
 * Moves a machine's writes to another machine name, under which they are kept: the same job may be prepared again.
 * One of the two leases names the writes at every moment, so that a kill leaves none without a lease.
 *
 * @returns False where they cannot be kept.
 */
async function holdMachine(host: Host, lease: Lease, record: JobRecording): Promise<boolean> {
  const machine = heldName(lease.machine);
  let isHeld = false;
  try {
    await unlessMachineLocked(host, machine, async () => {
      await moveToHeld(host, lease, machine, record);
      isHeld = true;
      return "settled";
    });
  } catch (error) {
    host.log.step(`Cannot keep what ${lease.machine} wrote: ${messageOf(error)}`);
  }
  return isHeld;
}

async function moveToHeld(
  host: Host,
  lease: Lease,
  machine: MachineName,
  record: JobRecording,
): Promise<void> {
  const until = new Date(host.clock.now() + lease.keep * 1000).toISOString();
  const old = await readLease(host, lease.store, machine);
  if (old !== null) await removeMachine(host, old);
  await endMachine(host, lease);
  const nothing = { leader: null, cgroups: [], folders: [], network: { kind: "none" } } as const;
  const held: Lease = { ...lease, ...nothing, machine, held: until };
  await writeLease(host, held);
  // Its files keep the machine's user ids, which other stores learn by the link.
  await host.files.remove(leaseLink(machine));
  await host.files.symlink(machinePaths(lease.store, machine).lease, leaseLink(machine));
  const [from, to] = [lease.machine, machine].map((name) => machinePaths(lease.store, name).folder);
  try {
    await storageOf(lease.storage).move(host, from!, to!);
  } catch (error) {
    await host.files.remove(leaseLink(machine));
    await removeLease(host, held);
    throw error;
  }
  await removeLastTraces(host, lease, record, until);
  host.log.step(`Keeping what it wrote until ${until}: ${to}`);
}
