/** Processes that outlive the call that saw them, and waiting for them. */

import type { Host } from "../host/host.ts";
import { readKernel } from "./kernel.ts";

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
  return parseStat(await readKernel(host, `/proc/${pid}/stat`));
}

/**
 * The identity in a line of `/proc/PID/stat`.
 *
 * @param stat The line; it may be empty.
 * @returns Null where there is none, or the process has ended.
 */
export function parseStat(stat: string): ProcessId | null {
  // The second field is the program's name in parentheses, and may itself hold anything.
  const name = stat.lastIndexOf(")");
  const fields = stat.slice(name + 2).split(" ");
  const [state] = fields;
  const pid = parseInt(stat);
  const start = Number(fields[19]);
  if (name === -1 || Number.isNaN(pid) || Number.isNaN(start)) return null;
  const isExiting = (Number(fields[6]) & PF_EXITING) !== 0;
  return isExiting || state === "Z" || state === "X" ? null : { pid, start };
}

/** Of field 9: a PID 1 that was killed has it before all others in its namespace are killed. */
const PF_EXITING = 0x4;

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
    host.clock.nap(POLL);
  }
  return true;
}

/** Milliseconds between two looks. */
const POLL = 3;
