/** Lists machines. */

import type { Host } from "../../host/host.ts";
import { type Lease, listLeases } from "../record/lease.ts";
import { jobMachineOf, shownId } from "../record/shown_id.ts";
import { isRunning } from "../supervisor/choose.ts";
import { readAllUsage, type Usage } from "./usage.ts";

/** One machine, as `list` shows it. */
export interface MachineEntry {
  /** The id that `--id` and `shell` take. */
  readonly id: string;
  readonly machine: string;
  /** The job's id on its server. */
  readonly job: string;
  /** The path of the job's project; null where it is not known. */
  readonly project: string | null;
  /** The names by which the job reaches a service; none for the machine of the job itself. */
  readonly aliases: readonly string[];
  /** The chroot or the image that it started from. */
  readonly image: string;
  /** `ended` waits for its cleanup; of a `held` machine only the writes are kept. */
  readonly state: "preparing" | "running" | "ended" | "held";
  /** Seconds since it was reserved. */
  readonly age: number;
  /** Bytes; null, as the counters below, where the kernel does not count them. */
  readonly memory: number | null;
  /** Microseconds of CPU time. */
  readonly cpu: number | null;
  /** Processes and threads. */
  readonly tasks: number | null;
  /** Bytes written to disks. */
  readonly written: number | null;
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
  const all = [...sorted, ...services];
  const states = await Promise.all(all.map((lease) => stateOf(host, lease)));
  const usages = await readAllUsage(host, all.filter((_, index) => states[index] === "running"));
  return all.map((lease, index) =>
    machineEntry(host, lease, states[index]!, usages.get(lease.machine))
  );
}

function machineEntry(
  host: Host,
  lease: Lease,
  state: MachineEntry["state"],
  usage: Usage | undefined,
): MachineEntry {
  return {
    id: shownId(lease),
    machine: lease.machine,
    job: lease.job,
    project: lease.description?.project ?? null,
    aliases: lease.service?.aliases ?? [],
    image: lease.service?.image ?? lease.chroot.name,
    state,
    age: Math.max(0, Math.round((host.clock.now() - Date.parse(lease.created)) / 1000)),
    memory: usage?.memory ?? null,
    cpu: usage?.cpu ?? null,
    tasks: usage?.tasks ?? null,
    written: usage?.ioWritten ?? null,
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
