/** Lists machines. */

import type { Host } from "../../host/host.ts";
import { type Lease, listLeases } from "../record/lease.ts";
import { jobMachineOf, shownId } from "../record/shown_id.ts";
import { isRunning } from "../supervisor/choose.ts";
import { readUsage } from "./usage.ts";

/** One machine, as `list` shows it. */
export interface MachineEntry {
  /** The id that `--id` and `shell` take. */
  readonly id: string;
  readonly machine: string;
  /** The job's id on its server. */
  readonly job: string;
  /** The names by which the job reaches a service; none for the machine of the job itself. */
  readonly aliases: readonly string[];
  /** The chroot or the image that it started from. */
  readonly image: string;
  /** `ended` waits for its cleanup; of a `held` machine only the writes are kept. */
  readonly state: "preparing" | "running" | "ended" | "held";
  /** Seconds since it was reserved. */
  readonly age: number;
  /** Bytes; null where the kernel does not count them. */
  readonly memory: number | null;
  readonly storage: string;
  readonly deadline: string;
}

/** Returns the machines of a store, sorted by name; those of services follow that of their job. */
export async function listMachines(host: Host, store: string): Promise<MachineEntry[]> {
  const leases = await listLeases(host, store);
  const services = new Set(leases.filter(({ service }) => service !== null));
  const sorted = leases.filter(({ service }) => service === null).flatMap((job) => {
    const own = [...services].filter((lease) => jobMachineOf(lease) === job.machine);
    for (const lease of own) services.delete(lease);
    return [job, ...own];
  });
  return await Promise.all([...sorted, ...services].map((lease) => machineEntry(host, lease)));
}

async function machineEntry(host: Host, lease: Lease): Promise<MachineEntry> {
  const state = await stateOf(host, lease);
  const { memory } = state === "running" ? await readUsage(host, lease) : { memory: null };
  return {
    id: shownId(lease),
    machine: lease.machine,
    job: lease.job,
    aliases: lease.service?.aliases ?? [],
    image: lease.service?.image ?? lease.chroot.name,
    state,
    age: Math.max(0, Math.round((host.clock.now() - Date.parse(lease.created)) / 1000)),
    memory,
    storage: lease.storage,
    deadline: lease.held ?? lease.deadline,
  };
}

/** Returns the state of a machine. */
export async function stateOf(host: Host, lease: Lease): Promise<MachineEntry["state"]> {
  if (lease.held !== null) return "held";
  if (lease.preparer !== null) return "preparing";
  return await isRunning(host, lease) ? "running" : "ended";
}
