/** Frees disk and memory for new machines by ending machines that are kept for inspection. */

import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { diskSpace } from "../../linux/disk.ts";
import { readKernel } from "../../linux/proc.ts";
import type { Lease } from "../record/lease.ts";
import { formatSize } from "../../text/size.ts";
import { type EndMachine, endUnlessLocked } from "./overdue.ts";

/** Machines are evicted while a smaller share of the store's disk or of the host's memory is free. */
const MIN_FREE = 0.1;

/**
 * Ends machines that are kept for inspection, while disk or memory is short: first those that would be kept for the
 * shortest time. Memory is freed by machines on a tmpfs alone.
 *
 * @param leases All machines of the store, as they were read without locks.
 */
export async function evictHeldMachines(
  host: Host,
  store: string,
  leases: readonly Lease[],
  end: EndMachine,
): Promise<void> {
  const held = leases.filter((lease) => lease.held !== null)
    .sort((one, other) => one.held! < other.held! ? -1 : 1);
  for (const lease of held) {
    const short = await shortage(host, store);
    if (short === "disk space" || (short === "memory" && lease.storage === "tmpfs")) {
      await endUnlessLocked(host, lease, end, () => Promise.resolve(`evicted to free ${short}`));
    }
  }
}

/** Returns the free bytes on the disk of a store; NaN where df(1) does not know. */
export async function freeBytes(host: Host, store: string): Promise<number> {
  return (await diskSpace(host, store))?.free ?? NaN;
}

/**
 * Refuses a new machine where less than the reserve is free.
 *
 * @param reserve Bytes.
 * @throws {Failure} of the host, since GitLab Runner tries again, and other jobs may have ended by then.
 */
export async function refuseFullDisk(host: Host, store: string, reserve: number): Promise<void> {
  const free = await freeBytes(host, store);
  if (!(free < reserve)) return; // also where it is unknown
  throw hostFailure(
    `Cannot start a machine: only ${formatSize(free)} are free at ${store}, less than ${
      formatSize(reserve)
    } (disk_reserve)`,
    "Free disk space: nspawn-runner gc, or nspawn-runner chroot-remove IMAGE",
  );
}

async function shortage(host: Host, store: string): Promise<"disk space" | "memory" | null> {
  const space = await diskSpace(host, store);
  if (space !== null && space.free < space.size * MIN_FREE) return "disk space";
  const memory = await readKernel(host, "/proc/meminfo");
  const kilobytes = (key: string) =>
    Number(memory.match(new RegExp(`^${key}: +(\\d+) kB$`, "m"))?.[1] ?? NaN);
  return kilobytes("MemAvailable") < kilobytes("MemTotal") * MIN_FREE ? "memory" : null;
}
