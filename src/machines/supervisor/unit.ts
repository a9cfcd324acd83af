/** What systemd and systemd-machined know of the unit of a machine. */

import type { Host } from "../../host/host.ts";
import { recordOf } from "../record/paths.ts";
import { MAX_LOG_LINES } from "./supervisor.ts";

/** The slice of all machines. */
export const SLICE = "machine-ci.slice";

/** How many of the processes that the kernel can have all machines together may have. */
export const SLICE_TASKS_PERCENT = 70;

/** Returns the name of a machine's unit. */
export function unitOf(machine: string): string {
  return `nspawn-runner-${machine}.service`;
}

/** Returns the file of a machine's unit, which systemd removes when the unit is gone. */
export function unitFile(machine: string): string {
  return `/run/systemd/transient/${unitOf(machine)}`;
}

/** Reads a machine's PID 1 from machined's record of the machine. */
export async function recordedPid(host: Host, machine: string): Promise<number | null> {
  const pid = (await readRecord(host, machine))?.match(/^LEADER=([0-9]+)$/m)?.[1];
  return pid === undefined ? null : Number(pid);
}

/**
 * Reads machined's record of a machine, which exists as long as the machine runs; reading it costs no process.
 *
 * @returns Null where there is none, or where it is of a machine of that name that somebody else started.
 */
export async function readRecord(host: Host, machine: string): Promise<string | null> {
  const record = await host.files.read(recordOf(machine));
  const unit = record?.match(/^SCOPE=(.*)$/m)?.[1];
  return unit === undefined || unit === unitOf(machine) ? record : null;
}

export async function isGone(host: Host, machine: string): Promise<boolean> {
  return await readRecord(host, machine) === null && !await hasUnit(host, machine);
}

/** Whether systemd has a machine's unit, which ends after its machine. */
export async function hasUnit(host: Host, machine: string): Promise<boolean> {
  return await host.files.lstat(unitFile(machine)) !== null;
}

/** Returns the last lines of the journal that match, without those of an earlier machine of the same name. */
export async function journal(host: Host, began: number, ...matches: string[]): Promise<string> {
  const since = `--since=@${Math.floor(began / 1000)}`;
  const options = [
    "--output=cat",
    "--no-pager",
    "--quiet",
    since,
    `--lines=${MAX_LOG_LINES}`,
  ] as const;
  return (await host.processes.capture(["journalctl", ...options, ...matches])).stdout;
}
