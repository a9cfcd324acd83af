/** Room for new machines: what is kept for a look goes when memory or disk is wanted. */

import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import type { Lease } from "../record/lease.ts";
import { asSize } from "../../text/size.ts";
import { type EndMachine, endUnlessLocked } from "./overdue.ts";

/** Less than this share of the store's disk, or of the host's memory, is too little for a job. */
const LEAST = 0.1;

/** Words: the store. */
export const FREE_SPACE_SCRIPT = `
df --block-size=1 --output=avail,size "$1" | sed -n 2p
cat /proc/meminfo
`;

/**
 * Ends machines that are kept for a look, those whose time is over first, while there is too little room.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @param leases All machines of the store, as they were seen.
 * @param end Ends one.
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
    const wanted = await wantedRoom(host, store);
    if (wanted === "disk" || (wanted === "memory" && lease.storage === "tmpfs")) {
      await endUnlessLocked(host, lease, end, () => Promise.resolve(`${wanted} is wanted`));
    }
  }
}

/**
 * What is free on the disk of a store.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @returns Bytes; NaN where nobody tells.
 */
export async function freeBytes(host: Host, store: string): Promise<number> {
  const argv = ["df", "--block-size=1", "--output=avail", store] as const;
  return Number((await host.processes.capture(argv)).stdout.split("\n")[1]?.trim() || NaN);
}

/**
 * Refuses a new machine where it could fill the host's disk.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @param reserve Bytes that are left for the host.
 * @throws {Failure} of the host: there may be room again when other jobs have ended.
 */
export async function refuseFullDisk(host: Host, store: string, reserve: number): Promise<void> {
  const free = await freeBytes(host, store);
  if (!(free < reserve)) return; // also where nobody tells
  throw hostFailure(
    `Cannot start a machine: ${asSize(free)} are free at ${store}, and disk_reserve is ${
      asSize(reserve)
    }`,
    "Remove what nobody needs: nspawn-runner gc, nspawn-runner chroot-remove",
  );
}

async function wantedRoom(host: Host, store: string): Promise<"disk" | "memory" | null> {
  const { stdout } = await host.processes.capture(["sh", "-c", FREE_SPACE_SCRIPT, "sh", store]);
  const [free = 1, size = 1] = stdout.trim().split(/\s+/).slice(0, 2).map(Number);
  if (free < size * LEAST) return "disk";
  const kilobytes = (key: string) =>
    Number(stdout.match(new RegExp(`^${key}: +(\\d+) kB$`, "m"))?.[1] ?? NaN);
  return kilobytes("MemAvailable") < kilobytes("MemTotal") * LEAST ? "memory" : null;
}
