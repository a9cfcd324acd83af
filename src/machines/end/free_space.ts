/** Frees disk and memory for new machines by ending machines that are kept for inspection. */

import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { type DiskSpace, diskSpace } from "../../linux/disk.ts";
import { readKernel } from "../../linux/proc.ts";
import type { Lease, SupervisorKind } from "../record/lease.ts";
import type { FreeMore } from "../record/plan.ts";
import { formatSize } from "../../text/size.ts";
import { until } from "../../linux/wait.ts";
import { type EndMachine, endUnlessLocked } from "./overdue.ts";
import { listRemovals, startRemoval } from "./removal.ts";

/** Machines are evicted while a smaller share of the store's disk or of the host's memory is free. */
const MIN_FREE = 0.1;

/**
 * Ends machines that are kept for inspection, while disk or memory is short: first those that would be kept for the
 * shortest time. Memory is freed by machines on a tmpfs alone.
 *
 * @param end Returns false where no further machine is to be ended.
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
  let isOver = false;
  const endInTime: EndMachine = async (overdue) => {
    const hasEnded = await end(overdue);
    isOver = !hasEnded;
    return hasEnded;
  };
  for (const lease of held) {
    const short = await shortage(host, store);
    if (short === null) return;
    if (short === "disk space" || (short === "memory" && lease.storage === "tmpfs")) {
      await endUnlessLocked(
        host,
        lease,
        endInTime,
        () => Promise.resolve(`evicted to free ${short}`),
      );
      if (isOver) return;
      await waitForRemovals(
        host,
        store,
        EVICTION_TIMEOUT,
        async () => await shortage(host, store) === null,
      );
    }
  }
}

/** Bytes for which a file counts: mke2fs(8) makes as many inodes by default. */
const BYTES_PER_FILE = 16_384;

/**
 * Returns the free bytes on the disk of a store, or less where it can hold few further files; NaN where df(1) does not
 * know.
 */
export async function freeBytes(host: Host, store: string): Promise<number> {
  return freeBytesOf(await diskSpace(host, store));
}

/** Returns the same of the space of a disk; null where df(1) does not know it. */
export function freeBytesOf(space: DiskSpace | null): number {
  return space === null ? NaN : Math.min(space.free, bytesOfFiles(space));
}

function bytesOfFiles({ freeInodes }: DiskSpace): number {
  return (freeInodes ?? Infinity) * BYTES_PER_FILE;
}

/** Longest wait for the files of one evicted machine to be removed, in milliseconds. */
const EVICTION_TIMEOUT = 5_000;

/**
 * Longest wait for what ended machines wrote, and then for evicted caches, in milliseconds. How long a removal takes is
 * up to the job that wrote the files.
 */
const REFUSAL_TIMEOUT = 30_000;

/** Waits until nothing is left of what ended machines wrote, or enough of it is removed. */
async function waitForRemovals(
  host: Host,
  store: string,
  timeout: number,
  isEnough: () => Promise<boolean>,
  signal?: AbortSignal,
): Promise<void> {
  const isOver = async () => (await listRemovals(host, store)).length === 0 || await isEnough();
  await until(host, { timeout, interval: 250, signal }, isOver);
}

/**
 * Frees disk space where less than the reserve is free, in a minute at most: removes what ended machines wrote, then the
 * caches that no machine uses, the least recently used ones first, and then pulled images.
 *
 * @param reserve Bytes.
 * @param interrupt Ends the wait when aborted.
 * @param freeMore Removes what else no machine needs, until enough is free.
 * @returns What is still short, for a message; null where the reserve is free, or df(1) does not tell.
 */
export async function freeReserve(
  host: Host,
  store: string,
  reserve: number,
  supervisor: SupervisorKind,
  interrupt: AbortSignal,
  freeMore?: FreeMore,
): Promise<string | null> {
  const isEnough = async () => !(await freeBytes(host, store) < reserve);
  await waitForRemovals(host, store, REFUSAL_TIMEOUT, isEnough, interrupt);
  if (!await isEnough()) await evictUnusedFolders(host, store, supervisor, isEnough, interrupt);
  if (!await isEnough()) await freeMore?.(isEnough, interrupt);
  const space = await diskSpace(host, store);
  if (space === null || await isEnough()) return null;
  const files = Math.ceil(reserve / BYTES_PER_FILE);
  return bytesOfFiles(space) < space.free
    ? `only ${space.freeInodes} files can be made at ${store}, fewer than ${files} (disk_reserve)`
    : `only ${formatSize(space.free)} are free at ${store}, less than ${
      formatSize(reserve)
    } (disk_reserve)`;
}

/**
 * Refuses a new machine where less than the reserve is free, after all else that {@linkcode freeReserve} can free.
 *
 * @throws {Failure} of the host, since GitLab Runner tries again, and other jobs may have ended by then.
 */
export async function refuseFullDisk(...args: Parameters<typeof freeReserve>): Promise<void> {
  const shortage = await freeReserve(...args);
  if (shortage === null) return;
  throw hostFailure(
    `Cannot start a machine: ${shortage}`,
    "Free disk space: nspawn-runner gc, chroot-remove IMAGE, or image-remove IMAGE",
  );
}

/** Removes caches in the background, one after the other, until enough is free or the time is over. */
async function evictUnusedFolders(
  host: Host,
  store: string,
  supervisor: SupervisorKind,
  isEnough: () => Promise<boolean>,
  interrupt: AbortSignal,
): Promise<void> {
  const { moveFoldersAside, unusedFolders } = await import("./evict_caches.ts");
  const end = host.clock.monotonic() + REFUSAL_TIMEOUT;
  for (const candidate of await unusedFolders(host, store)) {
    const timeout = end - host.clock.monotonic();
    if (interrupt.aborted || timeout <= 0 || await isEnough()) return;
    host.log.info(`Removing ${candidate.path}: ${candidate.reason}`);
    const [aside] = await moveFoldersAside(host, store, [candidate]);
    if (aside === undefined) continue;
    startRemoval(host, supervisor, [aside]);
    const isOver = async () => await host.files.lstat(aside) === null || await isEnough();
    await until(host, { timeout, interval: 250, signal: interrupt }, isOver);
  }
}

async function shortage(host: Host, store: string): Promise<"disk space" | "memory" | null> {
  const space = await diskSpace(host, store);
  if (space !== null && space.free < space.size * MIN_FREE) return "disk space";
  const memory = await readKernel(host, "/proc/meminfo");
  const kilobytes = (key: string) =>
    Number(memory.match(new RegExp(`^${key}: +(\\d+) kB$`, "m"))?.[1] ?? NaN);
  return kilobytes("MemAvailable") < kilobytes("MemTotal") * MIN_FREE ? "memory" : null;
}
