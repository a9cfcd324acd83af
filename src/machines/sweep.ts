/** Machines whose time is over: what a killed runner, a killed prepare or a power cut left. */

import { messageOf } from "../failure.ts";
import type { Host } from "../host/host.ts";
import { type Lease, listLeases, readLease } from "./lease.ts";
import { lockedMachines, unlessLocked } from "./lock.ts";
import { readKernel } from "./kernel.ts";
import { parseStat, type ProcessId } from "./process.ts";

/** What a sweep knows of this host. */
export interface Present {
  /** The id of this boot. */
  readonly boot: string;
  /** The GitLab Runner that called us: it lives, without asking. */
  readonly runner: ProcessId | null;
  /** Looks whether a machine runs that no GitLab Runner watches over; not looked where it is undefined. */
  readonly isRunning?: (lease: Lease) => Promise<boolean>;
}

/** A machine whose time is over. */
export interface Overdue {
  readonly lease: Lease;
  /** Why, for a message. */
  readonly reason: string;
}

/**
 * The machines of a store whose time is over.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @param present What is known of this host.
 * @returns Each with its reason; a machine that somebody watches over is none of them.
 */
export async function overdueMachines(
  host: Host,
  store: string,
  present: Present,
): Promise<Overdue[]> {
  const leases = await listLeases(host, store);
  if (leases.length === 0) return [];
  const alive = await aliveAmong(host, leases, present);
  const locked = await lockedMachines(host);
  const now = host.clock.now();
  const overdue: Overdue[] = [];
  for (const lease of leases) {
    const reason = reasonOf(lease, present.boot, alive, locked, now) ??
      await endedReason(lease, present);
    if (reason !== null) overdue.push({ lease, reason });
  }
  return overdue;
}

/**
 * Ends what is overdue. One that somebody works on at this moment, or that was made anew, is left alone;
 * a failure is told, and the next one is tried.
 *
 * @param host The outside.
 * @param overdue Which.
 * @param end Ends a machine and removes all that it wrote; false where it only says so.
 * @returns How many could not be ended.
 */
export async function endOverdue(
  host: Host,
  overdue: readonly Overdue[],
  end: (overdue: Overdue) => Promise<boolean>,
): Promise<number> {
  let failures = 0;
  for (const { lease, reason } of overdue) {
    try {
      await unlessLocked(host, lease.machine, async () => {
        const now = await readLease(host, lease.store, lease.machine);
        if (now === null || now.created !== lease.created || now.held !== lease.held) return true;
        return await end({ lease: now, reason });
      });
    } catch (error) {
      failures++;
      host.log.warn(messageOf(error));
    }
  }
  return failures;
}

function reasonOf(
  lease: Lease,
  boot: string,
  alive: ReadonlySet<string>,
  locked: ReadonlySet<string>,
  now: number,
): string | null {
  if (lease.boot !== boot) return "the host was started anew since";
  if (lease.held !== null) {
    return now > Date.parse(lease.held) ? `it was kept until ${lease.held}` : null;
  }
  if (lease.preparer !== null) {
    return alive.has(keyOf(lease.preparer)) ? null : "its prepare was killed";
  }
  if (locked.has(lease.machine)) return "its cleanup was killed";
  if (lease.runner !== null && !alive.has(keyOf(lease.runner))) {
    return "its GitLab Runner has ended";
  }
  return now > Date.parse(lease.deadline) ? `its deadline was ${lease.deadline}` : null;
}

/** Its runner, where it has one, ends it in order, and tells the job. */
async function endedReason(lease: Lease, { isRunning }: Present): Promise<string | null> {
  if (isRunning === undefined || lease.runner !== null || lease.leader === null) return null;
  return await isRunning(lease) ? null : "it has ended";
}

/** Those that run of all processes that leases name; not asked for where there is no doubt. */
async function aliveAmong(
  host: Host,
  leases: readonly Lease[],
  { boot, runner }: Present,
): Promise<Set<string>> {
  const alive = new Set(runner === null ? [] : [keyOf(runner)]);
  const asked = leases.filter((lease) => lease.boot === boot)
    .flatMap((lease) => [lease.preparer, lease.runner])
    .filter((process) => process !== null && !alive.has(keyOf(process)));
  const pids = new Set(asked.map((process) => process!.pid));
  if (pids.size === 0) return alive;
  const text = await readKernel(host, ...[...pids].map((pid) => `/proc/${pid}/stat`));
  // A name with a line break in it makes lines that are no process with that start.
  for (const line of text.split("\n")) {
    const process = parseStat(line);
    if (process !== null) alive.add(keyOf(process));
  }
  return alive;
}

function keyOf({ pid, start }: ProcessId): string {
  return `${pid}-${start}`;
}
