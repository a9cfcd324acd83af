/** One change of a machine, and one of the folders that machines share, at a time. */

import { join } from "@std/path/posix";
import { hostFailure } from "../failure.ts";
import type { Host, Lock } from "../host/host.ts";
import { idOf, type MachineName } from "./name.ts";
import { leaseFolder, machineLock, RUNTIME } from "./paths.ts";

/** Longest wait for another process that starts or ends the same machine, in milliseconds. */
const PATIENCE = 15_000;
const POLL = 20;

/**
 * Starts or ends a machine while nobody else does. The lock ends with the process, however that ends.
 *
 * @param host The outside.
 * @param machine Which.
 * @param act What is done.
 * @returns What it returns.
 * @throws {Failure} of the host where another process is still at it.
 */
export async function whileLocked<T>(
  host: Host,
  machine: MachineName,
  act: () => Promise<T>,
): Promise<T> {
  await host.files.makeDirectory(RUNTIME);
  const lock = await patiently(host, machineLock(machine));
  if (lock === null) {
    throw hostFailure(
      `Cannot change machine ${machine}: another process starts or ends it`,
      `Try again when it has ended; nspawn-runner cleanup --id ${idOf(machine)}`,
    );
  }
  return await holding(lock, act);
}

/**
 * Does something to a machine unless another process starts or ends it.
 *
 * @param host The outside.
 * @param machine Which.
 * @param act What is done.
 * @returns False where it was not done.
 */
export async function unlessLocked(
  host: Host,
  machine: MachineName,
  act: () => Promise<void>,
): Promise<boolean> {
  await host.files.makeDirectory(RUNTIME);
  const lock = await host.files.lock(machineLock(machine));
  if (lock === null) return false;
  await holding(lock, act);
  return true;
}

async function holding<T>(lock: Lock, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } finally {
    await lock.remove();
  }
}

/**
 * Decides about folders that machines share while nobody else does.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @param act What is decided; it takes no longer than a moment.
 * @returns What it returns.
 * @throws {Failure} of the host where the lock cannot be had.
 */
export async function whileFoldersLocked<T>(
  host: Host,
  store: string,
  act: () => Promise<T>,
): Promise<T> {
  const path = join(leaseFolder(store), ".lock");
  const lock = await patiently(host, path);
  if (lock === null) throw hostFailure(`Cannot lock ${path}: another process holds it`);
  try {
    return await act();
  } finally {
    lock.release();
  }
}

async function patiently(host: Host, path: string): Promise<Lock | null> {
  const end = host.clock.now() + PATIENCE;
  for (;;) {
    const lock = await host.files.lock(path);
    if (lock !== null || host.clock.now() >= end) return lock;
    host.clock.nap(POLL);
  }
}
