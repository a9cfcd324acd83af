/** The lock of a store's library of layers: held for a moment, by one process that records or removes images. */

import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { until } from "../../linux/wait.ts";
import { imagePaths } from "./paths.ts";

/** Longest wait, in milliseconds: to remove an image, its holder may wait until a layer of another one is unpacked. */
const TIMEOUT = 600_000;

/**
 * Acts while no other process records or removes images.
 *
 * @param interrupt Ends the wait for the lock when aborted, but not the action.
 * @throws {Failure} of the host where another process holds the lock for too long, or when interrupted.
 */
export async function whileLibraryLocked<T>(
  host: Host,
  store: string,
  act: () => Promise<T>,
  interrupt?: AbortSignal,
): Promise<T> {
  const { folder, lock: path } = imagePaths(store);
  await host.files.makeDirectory(folder);
  const wait = { timeout: TIMEOUT, interval: 50, signal: interrupt };
  const lock = await until(host, wait, () => host.files.lock(path));
  if (lock === null && interrupt?.aborted) throw hostFailure(`Cannot lock ${path}: interrupted`);
  if (lock === null) throw hostFailure(`Cannot lock ${path}: another process holds it`);
  try {
    return await act();
  } finally {
    lock.release();
  }
}
