/** Chooses the supervisor of a machine. */

import type { Host } from "../../host/host.ts";
import { isSystemdHost } from "../../linux/systemd.ts";
import type { Lease } from "../record/lease.ts";
import { standalone } from "./standalone.ts";
import type { Supervisor } from "./supervisor.ts";
import { systemd } from "./systemd.ts";

/** Returns the supervisor of new machines: systemd where it is PID 1 of the host. */
export async function supervisorOfHost(host: Host): Promise<Supervisor> {
  return await isSystemdHost(host) ? systemd : standalone;
}

/** Returns the supervisor that started a machine. */
export function supervisorOf(lease: Lease): Supervisor {
  return lease.supervisor === "systemd" ? systemd : standalone;
}

/** Returns whether a machine runs; false also for one that was never started. */
export async function isRunning(host: Host, lease: Lease): Promise<boolean> {
  return lease.leader !== null && await supervisorOf(lease).isAlive(host, lease);
}
