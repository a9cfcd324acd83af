/** The start of a machine. */

import { Failure, hostFailure, messageOf } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { reserve, type Found } from "./reserve.ts";
import { create } from "./build.ts";
import { callingRunner, kernelFacts } from "../../linux/proc.ts";
import { findLease, type Lease, listLeases, readLease } from "../record/lease.ts";
import { whileLocked } from "../record/lock.ts";
import { idOf } from "../record/name.ts";
import { chooseNetwork } from "../network/choose.ts";
import type { MachinePlan } from "../record/plan.ts";
import { parseStat } from "../../linux/proc.ts";
import { freeBytes, makeRoom, refuseFullDisk } from "../end/free_space.ts";
import { removeMachine } from "../end/stop.ts";
import { supervisorOf, supervisorOfHost } from "../supervisor/choose.ts";
import { endOverdue, type Overdue } from "../end/overdue.ts";

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
  // Asked for at once, and waited for when it is needed.
  const network = chooseNetwork(host, plan.settings.network, plan.networks, plan.job.url);
  network.catch(() => {}); // told where it is waited for
  const [facts, calling, free, there] = await Promise.all([
    kernelFacts(host),
    plan.job.watcher === "gitlab-runner" ? callingRunner(host) : null,
    plan.diskReserve === 0 ? Infinity : freeBytes(host, plan.store),
    leasesOf(host, plan),
  ]);
  const runner = plan.job.watcher === "us" ? parseStat(facts.stat) : calling;
  const { boot } = facts;
  // Before the lock is taken, too: to be killed with it would be a trace at a machine that lives.
  await refuseLiving(host, there, boot);
  return await whileLocked(host, plan.name, async () => {
    const dead = await leasesOf(host, plan);
    await refuseLiving(host, dead, boot);
    for (const lease of dead) await removeMachine(host, lease);
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
    if (free < plan.diskReserve) await refuseFullDisk(host, plan.store, plan.diskReserve);
    if (interrupt.aborted) throw hostFailure(`Cannot start machine ${plan.name}: interrupted`);
    return await start(host, plan, { facts, runner, network: await network }, interrupt);
  });
}

/** Milliseconds that a job waits for what others left; the rest is left to the next one, or to gc. */
const SWEEP_PATIENCE = 10_000;

async function start(
  host: Host,
  plan: MachinePlan,
  found: Found,
  interrupt: AbortSignal,
): Promise<Started> {
  const supervisor = await supervisorOfHost(host);
  await host.files.makeDirectory(plan.store, 0o755);
  const claimed = await reserve(host, plan, supervisor, found, interrupt);
  const { lease } = claimed;
  try {
    const started = await create(host, plan, claimed, supervisor, found.network, interrupt);
    return { lease: started, limits: supervisor.enforcesLimits, notes: found.network.notes };
  } catch (error) {
    await undo(host, lease);
    throw interrupt.aborted ? hostFailure(`Cannot start machine ${plan.name}: interrupted`) : error;
  }
}

async function undo(host: Host, lease: Lease): Promise<void> {
  try {
    await removeMachine(host, lease);
  } catch (error) {
    host.log.warn(messageOf(error)); // the first failure is the one to report
  }
}

/** What there is of that name, in this store or in one where its link leads. */
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
