/** Lists machines. */

import type { Host } from "../../host/host.ts";
import { type Lease, listLeases } from "../record/lease.ts";
import { idOf } from "../record/name.ts";
import { isRunning } from "../supervisor/choose.ts";
import { readUsage } from "./usage.ts";

/** One machine, as `list` shows it. */
export interface MachineEntry {
  /** The id that `--id` and `shell` take. */
  readonly id: string;
  readonly machine: string;
  /** The job's id on its server. */
  readonly job: string;
  /** The chroot that it started from. */
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

/** Returns the machines of a store, sorted by name. */
export async function listMachines(host: Host, store: string): Promise<MachineEntry[]> {
  const leases = await listLeases(host, store);
  return await Promise.all(leases.map((lease) => machineEntry(host, lease)));
}

async function machineEntry(host: Host, lease: Lease): Promise<MachineEntry> {
  const state = await stateOf(host, lease);
  const { memory } = state === "running" ? await readUsage(host, lease) : { memory: null };
  return {
    id: idOf(lease.machine),
    machine: lease.machine,
    job: lease.job,
    image: lease.chroot.name,
    state,
    age: Math.max(0, Math.round((host.clock.now() - Date.parse(lease.created)) / 1000)),
    memory,
    storage: lease.storage,
    deadline: lease.held ?? lease.deadline,
  };
}

async function stateOf(host: Host, lease: Lease): Promise<MachineEntry["state"]> {
  if (lease.held !== null) return "held";
  if (lease.preparer !== null) return "preparing";
  return await isRunning(host, lease) ? "running" : "ended";
}
