/** Which supervisor a host, and a machine, has. */

import type { Host } from "../../host/host.ts";
import type { Lease } from "../record/lease.ts";
import { standalone } from "./standalone.ts";
import type { Supervisor } from "./supervisor.ts";
import { systemd } from "./systemd.ts";

/**
 * The supervisor of new machines.
 *
 * @param host The outside.
 * @returns systemd where it is PID 1.
 */
export async function supervisorOfHost(host: Host): Promise<Supervisor> {
  // sd_booted(3): the folder is there exactly where systemd is PID 1.
  return await host.files.lstat("/run/systemd/system") === null ? standalone : systemd;
}

/**
 * The supervisor of a machine.
 *
 * @param lease Whose machine.
 * @returns The one that started it.
 */
export function supervisorOf(lease: Lease): Supervisor {
  return lease.supervisor === "systemd" ? systemd : standalone;
}

/**
 * Whether a machine runs.
 *
 * @param host The outside.
 * @param lease Whose machine.
 * @returns False for one that never ran, or has ended.
 */
export async function isRunning(host: Host, lease: Lease): Promise<boolean> {
  return lease.leader !== null && await supervisorOf(lease).isAlive(host, lease);
}
