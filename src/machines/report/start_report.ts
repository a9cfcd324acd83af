/** Formats the lines that prepare writes to the log of the job: the chroot, the machine, how long the start took. */

import type { MachineSettings } from "../../config/settings.ts";
import { weakenedProtections } from "../nspawn/privileges.ts";
import { ID_AREA, idCount } from "../record/ids.ts";
import type { Lease } from "../record/lease.ts";
import type { MachineName } from "../record/name.ts";
import type { BaseTree } from "../record/plan.ts";

/** Returns the line that names the chroot: which generation, where. */
export function chrootLine({ name, generation, path }: BaseTree): string {
  const number = generation === null ? "" : `, generation ${generation}`;
  return `Chroot ${name}${number} (${path})`;
}

/**
 * Returns the line that describes the machine: its storage, limits, what makes it less safe than the default,
 * its user ids and its network.
 *
 * @param limits Whether the supervisor enforces limits.
 */
export function machineLine(lease: Lease, settings: MachineSettings, limits: boolean): string {
  const { disk_max } = settings.limits;
  const disk = disk_max === "infinity" ? [] : [`disk max ${disk_max}`];
  return [
    `Storage ${lease.storage}`,
    ...disk,
    lease.booted ? "booted" : "plain",
    limits ? limitsOf(settings) : `no ${disk.length === 0 ? "" : "other "}${NO_LIMITS}`,
    ...weakenedProtections(settings),
    lease.ids === null ? "no user namespace" : `${numberOf(lease.ids)}user ids of its own`,
    NETWORKS[lease.network.kind],
  ].join(", ");
}

/** Returns the line that ends the report of a start. */
export function readyLine(machine: MachineName, milliseconds: number): string {
  return `Machine ${machine} ready in ${(milliseconds / 1000).toFixed(1)} s`;
}

/** Named where it is not the usual one: programs in the job may fail for lack of ids. */
function numberOf(ids: number): string {
  const count = idCount(ids);
  return count === idCount(ID_AREA[0]) ? "" : `only ${count} `;
}

const NETWORKS = {
  private: "network of its own",
  host: "network of the host",
  none: "no network",
} as const;

const NO_LIMITS = "limits: systemd is not PID 1 on this host";

function limitsOf({ limits }: MachineSettings): string {
  return [
    `CPU weight ${limits.cpu_weight}`,
    `memory high ${limits.memory_high}`,
    `memory max ${limits.memory_max}`,
    ...(limits.cpu_quota === "infinity" ? [] : [`CPU quota ${limits.cpu_quota}`]),
    `tasks max ${limits.tasks_max}`,
  ].join(", ");
}
