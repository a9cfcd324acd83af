/** Locks: one change of a machine at a time, one reservation on the host, one probe of what the host can do. */

import { join } from "@std/path/posix";
import { hostFailure } from "../../failure.ts";
import type { Host, Lock } from "../../host/host.ts";
import { until, type WaitOptions } from "../../linux/wait.ts";
import type { MachineName } from "./name.ts";
import { machineLock } from "./paths.ts";
import { RUNTIME_FOLDER } from "../../runtime_folder.ts";

/** Longest wait for another process that starts or ends the same machine, in milliseconds. */
const MACHINE_TIMEOUT = 15_000;

/** Longest wait for reservations and probes of the host: many prepares may queue, on a disk that is slow to sync. */
const HOST_TIMEOUT = 120_000;

/** Milliseconds between two tries to take a lock. */
const LOCK_INTERVAL = 20;

/**
 * Starts or ends a machine while no other process does. The lock ends with the process.
 *
 * @param isTrace Whether a failure leaves the lock's file, so that the next housekeeping finishes the work.
 * @throws {Failure} of the host where another process holds the lock for too long.
 */
export async function whileMachineLocked<T>(
  host: Host,
  machine: MachineName,
  act: () => Promise<T>,
  isTrace = false,
): Promise<T> {
  await host.files.makeDirectory(RUNTIME_FOLDER);
  const lock = await waitForLock(host, machineLock(machine), { timeout: MACHINE_TIMEOUT });
  if (lock === null) {
    throw hostFailure(
      `Cannot change machine ${machine}: another process starts or ends it`,
      `Try again in a minute; find the process: fuser -v ${machineLock(machine)}`,
    );
  }
  let failed = true;
  try {
    const result = await act();
    failed = false;
    return result;
  } finally {
    await unlock(lock, isTrace && failed);
  }
}

/**
 * Changes a machine unless another process starts or ends it.
 *
 * @param act Gets whether a process was killed that started or ended the machine; returns whether the lock's
 *   file has to stay as the trace of that.
 */
export async function unlessMachineLocked(
  host: Host,
  machine: MachineName,
  act: (wasKilled: boolean) => Promise<"settled" | "open">,
): Promise<void> {
  await host.files.makeDirectory(RUNTIME_FOLDER);
  const lock = await host.files.lock(machineLock(machine));
  if (lock === null) return;
  let isTrace = true; // a failure is tried again
  try {
    isTrace = await act(lock.wasAbandoned) === "open" && lock.wasAbandoned;
  } finally {
    await unlock(lock, isTrace);
  }
}

async function unlock(lock: Lock, isTrace: boolean): Promise<void> {
  if (isTrace) lock.release();
  else await lock.remove();
}

/** Returns the machines that a process starts or ends, or did when it was killed: each has a lock's file. */
export async function lockedMachines(host: Host): Promise<Set<string>> {
  const entries = await host.files.list(RUNTIME_FOLDER);
  return new Set(
    entries.filter((entry) => entry.endsWith(LOCK)).map((entry) => entry.slice(0, -LOCK.length)),
  );
}

const LOCK = ".lock";

/**
 * Reserves what machines share, their folders, ids, networks and trees, while no other process of this host does.
 *
 * @param act Takes no longer than a moment.
 * @param interrupt Ends the wait when aborted.
 * @throws {Failure} of the host where another process holds the lock for too long.
 */
export async function whileReserving<T>(
  host: Host,
  act: () => Promise<T>,
  interrupt?: AbortSignal,
): Promise<T> {
  return await whileHolding(host, RESERVATION_LOCK, act, interrupt);
}

/** Its name is that of earlier releases, which may run at the same time. */
const RESERVATION_LOCK = join(RUNTIME_FOLDER, ".taking.lock");

/** The lock of probes: {@linkcode unlessProbing} does not remove the files of a running probe. */
const PROBE_LOCK = join(RUNTIME_FOLDER, ".probing.lock");

/**
 * Tries what the host can do while no other process does.
 *
 * @param interrupt Ends the wait when aborted.
 * @throws {Failure} of the host where another process holds the lock for too long.
 */
export async function whileProbing<T>(
  host: Host,
  act: () => Promise<T>,
  interrupt?: AbortSignal,
): Promise<T> {
  return await whileHolding(host, PROBE_LOCK, act, interrupt);
}

/** Acts unless a probe of the host is running. */
export async function unlessProbing(host: Host, act: () => Promise<void>): Promise<void> {
  await host.files.makeDirectory(RUNTIME_FOLDER);
  const lock = await host.files.lock(PROBE_LOCK);
  if (lock === null) return;
  try {
    await act();
  } finally {
    lock.release();
  }
}

async function whileHolding<T>(
  host: Host,
  path: string,
  act: () => Promise<T>,
  interrupt?: AbortSignal,
): Promise<T> {
  await host.files.makeDirectory(RUNTIME_FOLDER);
  const lock = await waitForLock(host, path, { timeout: HOST_TIMEOUT, signal: interrupt });
  if (lock === null && interrupt?.aborted) throw hostFailure(`Cannot lock ${path}: interrupted`);
  if (lock === null) throw hostFailure(`Cannot lock ${path}: another process holds it`);
  try {
    return await act();
  } finally {
    lock.release();
  }
}

/**
 * Runs a stage in a machine while no other process does; waits for its turn as long as the other stage runs.
 *
 * @param path The machine's lock for stages.
 * @param interrupt Ends the wait when aborted.
 * @param act Gets whether the last call was killed or failed: its stage may still run.
 * @param purpose What the lock's file tells of the stage.
 * @throws {Failure} of the host when interrupted.
 */
export async function whileStageLocked<T>(
  host: Host,
  path: string,
  interrupt: AbortSignal,
  act: (wasKilled: boolean) => Promise<T>,
  purpose?: string,
): Promise<T> {
  const lock = await until(
    host,
    { interval: STAGE_INTERVAL, signal: interrupt },
    () => host.files.lock(path, purpose),
  );
  if (lock === null) {
    throw hostFailure("Cannot run the script: cancelled while another one ran in the machine");
  }
  let failed = true;
  try {
    const result = await act(lock.wasAbandoned);
    failed = false;
    return result;
  } finally {
    await unlock(lock, failed); // after a failure the stage may still run
  }
}

/** Milliseconds between two looks whether the other stage has ended. */
const STAGE_INTERVAL = 100;

function waitForLock(host: Host, path: string, wait: WaitOptions): Promise<Lock | null> {
  return until(host, { interval: LOCK_INTERVAL, ...wait }, () => host.files.lock(path));
}
