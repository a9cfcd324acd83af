/**
 * Ends overdue machines: those whose deadline has passed, and those that were left when their GitLab Runner or a
 * process of this program was killed, or when the host was rebooted.
 */

import { messageOf } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import {
  isOfOtherHost,
  type Lease,
  machineId,
  readLease,
  type ServiceRole,
} from "../record/lease.ts";
import { lockedMachines, unlessMachineLocked } from "../record/lock.ts";
import { readKernel } from "../../linux/proc.ts";
import { parseStat, type ProcessId } from "../../linux/proc.ts";

/** The state of this host, by which machines are judged. */
export interface HostState {
  /** The id of this boot. */
  readonly boot: string;
  /** Seconds since boot; null where the kernel does not tell. */
  readonly uptime: number | null;
  /** The GitLab Runner that called this program, and so is alive. */
  readonly runner: ProcessId | null;
  /** Returns whether a machine without a GitLab Runner runs; where undefined, such a machine counts as running. */
  readonly isRunning?: (lease: Lease) => Promise<boolean>;
}

/** A machine that is to be ended. */
export interface Overdue {
  readonly lease: Lease;
  /** The reason, for a message. */
  readonly reason: string;
}

/** Ends a machine and removes what it wrote; returns false where it did not. */
export type EndMachine = (overdue: Overdue) => Promise<boolean>;

/**
 * Ends the overdue machines among those of the given leases. Skips a machine that another process starts or ends.
 * A failure is logged, and does not keep the other machines from being ended.
 *
 * @returns How many could not be ended.
 */
export async function endOverdue(
  host: Host,
  leases: readonly Lease[],
  state: HostState,
  end: EndMachine,
): Promise<number> {
  if (leases.length === 0) return 0;
  const alive = await livingProcesses(host, leases, state);
  const locked = await lockedMachines(host);
  let failures = 0;
  for (const lease of leases) {
    const { machine } = lease;
    if (await overdueReason(host, lease, state, alive, locked.has(machine)) === null) continue;
    // Other processes went on meanwhile: the lease is judged again under the lock.
    const ended = await endUnlessLocked(host, lease, end, async (now, wasKilled) => {
      const nowAlive = await livingProcesses(host, [now], state);
      return await overdueReason(host, now, state, nowAlive, wasKilled);
    });
    if (!ended) failures++;
  }
  return failures;
}

/**
 * Ends a machine if, under its lock, there is a reason to; does nothing while another process holds the lock.
 *
 * @param lease The lease as it was read without the lock.
 * @param reason Returns the reason, or null, from the lease as it is now and from whether a process was killed
 *   that started or ended the machine.
 * @returns False where it could not be ended; the failure is logged.
 */
export async function endUnlessLocked(
  host: Host,
  lease: Lease,
  end: EndMachine,
  reason: (lease: Lease, wasKilled: boolean) => Promise<string | null>,
): Promise<boolean> {
  try {
    await unlessMachineLocked(host, lease.machine, async (wasKilled) => {
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

async function overdueReason(
  host: Host,
  lease: Lease,
  { boot, uptime, isRunning }: HostState,
  alive: ReadonlySet<string>,
  wasKilled: boolean,
): Promise<string | null> {
  const now = host.clock.now();
  if (isOfOtherHost(lease, await machineId(host))) return goneHostReason(lease, now);
  if (lease.boot !== boot) return "the host was rebooted";
  if (lease.held !== null) {
    return now > Date.parse(lease.held) ? `its files were kept until ${lease.held}` : null;
  }
  if (lease.preparer !== null) {
    return alive.has(keyOf(lease.preparer)) ? null : "its prepare was killed";
  }
  if (wasKilled) return "its prepare or cleanup was killed";
  if (lease.service !== null && await isAbandoned(host, lease, lease.service, alive)) {
    return "its job has ended";
  }
  if (lease.runner !== null) {
    // A living runner calls cleanup itself, and writes to the job's log.
    return alive.has(keyOf(lease.runner))
      ? deadlineReason(lease, now, uptime)
      : lease.storage === "tree"
      ? "the build that used it was killed"
      : lease.description === null && lease.service === null
      ? "the process that started it has ended"
      : "its GitLab Runner has ended";
  }
  // A service that has ended stays as long as its job, whose log may have to tell why.
  if (lease.service === null && await isRunning?.(lease) === false) return "it has ended";
  return deadlineReason(lease, now, uptime);
}

/**
 * A service starts when the lease of its job's machine is written, and its job's cleanup ends it. After a killed prepare,
 * the next one of the job may have other services.
 */
async function isAbandoned(
  host: Host,
  { store, machine }: Lease,
  { job, starter }: ServiceRole,
  alive: ReadonlySet<string>,
): Promise<boolean> {
  if (alive.has(keyOf(starter))) return false;
  try {
    const lease = await readLease(host, store, job);
    return lease === null || !lease.services.some((service) => service.machine === machine);
  } catch {
    return false; // another version of this program may have started the job
  }
}

/** The other host ends its machine itself, at the deadline by its own clock. */
function goneHostReason({ deadline, held }: Lease, now: number): string | null {
  const end = Math.max(Date.parse(deadline), Date.parse(held ?? deadline));
  return now > end + DAY ? `another host should have ended it at ${deadline}` : null;
}

/** Milliseconds. */
const DAY = 86_400_000;

/** In the boot in which the lease was made, the time since boot counts: nobody can set it. */
function deadlineReason(
  { deadline, deadlineUptime }: Lease,
  now: number,
  uptime: number | null,
): string | null {
  const isOver = uptime !== null && deadlineUptime !== null
    ? uptime > deadlineUptime
    : now > Date.parse(deadline);
  return isOver ? `its deadline was ${deadline}` : null;
}

/** Returns the living processes among those that leases of this boot name. */
async function livingProcesses(
  host: Host,
  leases: readonly Lease[],
  { boot, runner }: HostState,
): Promise<Set<string>> {
  const alive = new Set(runner === null ? [] : [keyOf(runner)]);
  const asked = leases.filter((lease) => lease.boot === boot)
    .flatMap((lease) => [lease.preparer, lease.runner, lease.service?.starter ?? null])
    .filter((process) => process !== null)
    .filter((process) => !alive.has(keyOf(process)));
  const pids = new Set(asked.map(({ pid }) => pid));
  if (pids.size === 0) return alive;
  const text = await readKernel(host, ...[...pids].map((pid) => `/proc/${pid}/stat`));
  // A process name may contain a line break: the remainder of its line names no process with that start.
  for (const line of text.split("\n")) {
    const process = parseStat(line);
    if (process !== null) alive.add(keyOf(process));
  }
  return alive;
}

function keyOf({ pid, start }: ProcessId): string {
  return `${pid}-${start}`;
}
