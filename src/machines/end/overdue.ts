/** Machines whose time is over: what a killed runner, a killed prepare or a power cut left. */

import { messageOf } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { type Lease, readLease } from "../record/lease.ts";
import { lockedMachines, unlessLocked } from "../record/lock.ts";
import { readKernel } from "../../linux/proc.ts";
import { parseStat, type ProcessId } from "../../linux/proc.ts";

/** What a sweep knows of this host. */
export interface HostState {
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

/** Ends a machine, and removes all that it wrote; false where it only says so. */
export type EndMachine = (overdue: Overdue) => Promise<boolean>;

/**
 * Ends those machines whose time is over. What somebody watches over, or works on at this
 * moment, is left alone; a failure is told, and the next one is tried.
 *
 * @param host The outside.
 * @param leases The machines, as they were seen.
 * @param present What is known of this host.
 * @param end Ends one.
 * @returns How many could not be ended.
 */
export async function endOverdue(
  host: Host,
  leases: readonly Lease[],
  present: HostState,
  end: EndMachine,
): Promise<number> {
  if (leases.length === 0) return 0;
  const alive = await aliveAmong(host, leases, present);
  const locked = await lockedMachines(host);
  let failures = 0;
  for (const lease of leases) {
    const { machine } = lease;
    if (await reasonOf(host, lease, present, alive, locked.has(machine)) === null) continue;
    // That was a glance, while others went on: what counts is what is so when nobody can.
    const ended = await endUnlessLocked(host, lease, end, async (now, wasKilled) => {
      const nowAlive = await aliveAmong(host, [now], present);
      return await reasonOf(host, now, present, nowAlive, wasKilled);
    });
    if (!ended) failures++;
  }
  return failures;
}

/**
 * Ends a machine if there is a reason for it while nobody else works on it.
 *
 * @param host The outside.
 * @param lease Whose machine, as it was seen.
 * @param end Ends it.
 * @param reason Why, by its lease as it is now, and by whether somebody was killed who worked on it.
 * @returns False where it could not be ended, which is told.
 */
export async function endUnlessLocked(
  host: Host,
  lease: Lease,
  end: EndMachine,
  reason: (lease: Lease, wasKilled: boolean) => Promise<string | null>,
): Promise<boolean> {
  try {
    await unlessLocked(host, lease.machine, async (wasKilled) => {
      const now = await readLease(host, lease.store, lease.machine);
      const why = now === null ? null : await reason(now, wasKilled);
      if (now === null || why === null) return "settled";
      return await end({ lease: now, reason: why }) ? "settled" : "open";
    });
    return true;
  } catch (error) {
    host.log.warn(messageOf(error));
    return false;
  }
}

async function reasonOf(
  host: Host,
  lease: Lease,
  { boot, isRunning }: HostState,
  alive: ReadonlySet<string>,
  wasKilled: boolean,
): Promise<string | null> {
  const now = host.clock.now();
  if (lease.boot !== boot) return "the host was started anew since";
  if (lease.held !== null) {
    return now > Date.parse(lease.held) ? `it was kept until ${lease.held}` : null;
  }
  if (lease.preparer !== null) {
    return alive.has(keyOf(lease.preparer)) ? null : "its prepare was killed";
  }
  if (wasKilled) return "the call that made or ended it did not finish";
  if (lease.runner !== null) {
    // It ends its machine in order, and tells the job.
    return alive.has(keyOf(lease.runner)) ? overdueSince(lease, now) : "who asked for it has ended";
  }
  if (isRunning !== undefined && !await isRunning(lease)) return "it has ended";
  return overdueSince(lease, now);
}

function overdueSince({ deadline }: Lease, now: number): string | null {
  return now > Date.parse(deadline) ? `its deadline was ${deadline}` : null;
}

/** Those that run of all processes that leases name; not asked for where there is no doubt. */
async function aliveAmong(
  host: Host,
  leases: readonly Lease[],
  { boot, runner }: HostState,
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
