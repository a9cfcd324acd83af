/** Processes that outlive the call that saw them: a pid alone may mean another one by then. */

import type { Host } from "../host/host.ts";

/** A process for all time: pids are used again, a pid with its start time is not. */
export interface ProcessId {
  readonly pid: number;
  /** Clock ticks from boot to its start: field 22 of proc_pid_stat(5). */
  readonly start: number;
}

/**
 * Who a pid is at this moment.
 *
 * @param host The outside.
 * @param pid A process id.
 * @returns Its lasting identity, or null when there is no such process or it only waits to be reaped.
 */
export async function identify(host: Host, pid: number): Promise<ProcessId | null> {
  const stat = await host.files.read(`/proc/${pid}/stat`).catch(() => null); // gone while it was read
  if (stat === null) return null;
  // The second field is the program's name in parentheses, and may itself hold anything.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state] = fields;
  const start = Number(fields[19]);
  return state === "Z" || state === "X" || Number.isNaN(start) ? null : { pid, start };
}

/**
 * Whether a process still runs.
 *
 * @param host The outside.
 * @param process Whom to look for.
 * @returns False when it ended, also when its pid is in use again.
 */
export async function isAlive(host: Host, process: ProcessId): Promise<boolean> {
  return (await identify(host, process.pid))?.start === process.start;
}

/**
 * The children of a process.
 *
 * @param host The outside.
 * @param pid Their parent.
 * @returns Their pids; none when the parent is gone.
 */
export async function childrenOf(host: Host, pid: number): Promise<number[]> {
  const text = await host.files.read(`/proc/${pid}/task/${pid}/children`).catch(() => null);
  return (text ?? "").split(" ").filter((word) => word !== "").map(Number);
}

/**
 * The cgroup of a process in the unified hierarchy.
 *
 * @param host The outside.
 * @param pid A process id, or "self".
 * @returns Its path below the hierarchy's root, or null.
 */
export async function cgroupOf(host: Host, pid: number | "self"): Promise<string | null> {
  const text = await host.files.read(`/proc/${pid}/cgroup`).catch(() => null);
  return text?.match(/^0::(\/.*)$/m)?.[1] ?? null;
}

/**
 * Waits until something holds.
 *
 * @param host The outside.
 * @param timeout Longest wait, in milliseconds.
 * @param holds What is waited for; asked again every few milliseconds.
 * @returns False when the time is over.
 */
export async function until(
  host: Host,
  timeout: number,
  holds: () => Promise<boolean>,
): Promise<boolean> {
  const end = host.clock.now() + timeout;
  while (!await holds()) {
    if (host.clock.now() >= end) return false;
    await host.clock.sleep(POLL);
  }
  return true;
}

/** Milliseconds between two looks; a look costs a few file reads. */
const POLL = 3;
