/** Copies images into the store while enough of its disk stays free for machines: `disk_reserve`. */

import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { freeBytes, freeReserve } from "../../machines/end/free_space.ts";
import { supervisorOfHost } from "../../machines/supervisor/choose.ts";
import { formatSize } from "../../text/size.ts";
import { type Copy, copyImage, type Waiter } from "./copy.ts";
import { FREE_DISK_HINT, isDiskFull } from "./pull_failure.ts";
import { evictImages } from "./retention.ts";

/**
 * Copies an image. Where the disk is too small for it, removes caches and images that no machine uses, as the start of a
 * machine does, and tries again as long as this frees something.
 *
 * @returns As copyImage().
 * @throws {Failure} of the host where less than the reserve is free before the copy, or when interrupted.
 */
export async function copyWithinReserve(
  host: Host,
  store: string,
  copy: Copy,
  waiter: Waiter,
  interrupt: AbortSignal,
): Promise<string | null> {
  const { reserve } = copy;
  await refuseShortage(host, store, copy, interrupt);
  for (;;) {
    const free = await freeBytes(host, store);
    const reason = await copyImage(host, copy, waiter, interrupt);
    if (reason === null || !isDiskFull(reason) || Number.isNaN(free)) return reason;
    // Layers that are complete stay, so that the next attempt needs less.
    if (await freeAgain(host, store, copy, free, interrupt)) continue;
    return `${reason}: ${formatSize(free)} were free at ${store}, of which ${
      formatSize(reserve)
    } stay free (disk_reserve)`;
  }
}

async function refuseShortage(
  host: Host,
  store: string,
  { access: { reference }, reserve }: Copy,
  interrupt: AbortSignal,
): Promise<void> {
  if (!(await freeBytes(host, store) < reserve)) return;
  const shortage = await free(host, store, reserve, interrupt);
  if (shortage === null) return;
  throw hostFailure(`Cannot pull image ${reference.written}: ${shortage}`, FREE_DISK_HINT);
}

/**
 * Frees as much as an attempt had that did not suffice.
 *
 * @param had Free bytes when it began.
 * @returns Whether more is free than after that attempt.
 */
async function freeAgain(
  host: Host,
  store: string,
  { reserve }: Copy,
  had: number,
  interrupt: AbortSignal,
): Promise<boolean> {
  const before = await freeBytes(host, store);
  const bytes = Math.max(before, reserve) + Math.max(had - reserve, reserve);
  await free(host, store, bytes, interrupt);
  return !interrupt.aborted && await freeBytes(host, store) > before;
}

/** Returns what is still short; null where that much is free. */
async function free(host: Host, store: string, bytes: number, interrupt: AbortSignal) {
  const { kind } = await supervisorOfHost(host);
  const evict = (isEnough: () => Promise<boolean>) => evictImages(host, store, isEnough, interrupt);
  return await freeReserve(host, store, bytes, kind, interrupt, evict);
}
