/** What machines there are. */

import type { Host } from "../../host/host.ts";
import { type Lease, listLeases } from "../record/lease.ts";
import { idOf } from "../record/name.ts";
import { isRunning } from "../supervisor/choose.ts";
import { readUsage } from "./usage.ts";

/** One machine, as `list` shows it. */
export interface MachineEntry {
  /** What `--id` and `shell` take. */
  readonly id: string;
  readonly machine: string;
  /** The job's id at its server. */
  readonly job: string;
  /** The chroot that it was made from. */
  readonly image: string;
  /**
   * Somebody prepares it; it runs; it has ended and waits for its cleanup; it has ended, and what it
   * wrote is kept.
   */
  readonly state: "preparing" | "running" | "ended" | "held";
  /** Seconds since it was made. */
  readonly age: number;
  /** Bytes; null where nobody counts them. */
  readonly memory: number | null;
  readonly storage: string;
  readonly deadline: string;
}

/**
 * All machines of a store.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @returns One entry a machine, sorted by name.
 */
export async function listMachines(host: Host, store: string): Promise<MachineEntry[]> {
  const leases = await listLeases(host, store);
  return await Promise.all(leases.map((lease) => entryOf(host, lease)));
}

async function entryOf(host: Host, lease: Lease): Promise<MachineEntry> {
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
