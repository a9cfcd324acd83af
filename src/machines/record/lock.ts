/** One change of a machine, and one of what machines share, at a time. */

import { join } from "@std/path/posix";
import { hostFailure } from "../../failure.ts";
import type { Host, Lock } from "../../host/host.ts";
import { idOf, type MachineName } from "./name.ts";
import { machineLock } from "./paths.ts";
import { RUNTIME } from "../../runtime_folder.ts";

/** Longest wait for another process that starts or ends the same machine, in milliseconds. */
const PATIENCE = 15_000;

/** The same for what is decided: many prepares may queue for it, on a disk that is slow to sync. */
const TAKING_PATIENCE = 120_000;
const POLL = 20;

/**
 * Starts or ends a machine while nobody else does. The lock ends with the process, however that ends.
 *
 * @param host The outside.
 * @param machine Which.
 * @param act What is done.
 * @param isTrace Whether a failure is to be seen by the next sweep, which then finishes it.
 * @returns What it returns.
 * @throws {Failure} of the host where another process is still at it.
 */
export async function whileLocked<T>(
  host: Host,
  machine: MachineName,
  act: () => Promise<T>,
  isTrace = false,
): Promise<T> {
  await host.files.makeDirectory(RUNTIME);
  const lock = await patiently(host, machineLock(machine), PATIENCE);
  if (lock === null) {
    throw hostFailure(
      `Cannot change machine ${machine}: another process starts or ends it`,
      `Try again when it has ended; nspawn-runner cleanup --id ${idOf(machine)}`,
    );
  }
  let failed = true;
  try {
    const result = await act();
    failed = false;
    return result;
  } finally {
    await letGo(lock, isTrace && failed);
  }
}

/**
 * Does something to a machine unless another process starts or ends it.
 *
 * @param host The outside.
 * @param machine Which.
 * @param act What is done; gets whether a process was killed that started or ended the machine, and
 *   tells whether that is still to be seen.
 */
export async function unlessLocked(
  host: Host,
  machine: MachineName,
  act: (wasKilled: boolean) => Promise<"settled" | "open">,
): Promise<void> {
  await host.files.makeDirectory(RUNTIME);
  const lock = await host.files.lock(machineLock(machine));
  if (lock === null) return;
  let isTrace = true; // what fails is to be tried again
  try {
    isTrace = await act(lock.wasLeft) === "open" && lock.wasLeft;
  } finally {
    await letGo(lock, isTrace);
  }
}

async function letGo(lock: Lock, isTrace: boolean): Promise<void> {
  if (isTrace) lock.release();
  else await lock.remove();
}

/**
 * Machines that somebody starts or ends, or did when he was killed: nobody else leaves such a file.
 *
 * @param host The outside.
 * @returns Their names.
 */
export async function lockedMachines(host: Host): Promise<Set<string>> {
  const entries = await host.files.list(RUNTIME);
  return new Set(
    entries.filter((entry) => entry.endsWith(LOCK)).map((entry) => entry.slice(0, -LOCK.length)),
  );
}

const LOCK = ".lock";

/**
 * Decides what machines use while no other machine of this host comes to be: their folders, ids and networks,
 * and their chroots' trees.
 *
 * @param host The outside.
 * @param act What is decided; it takes no longer than a moment.
 * @param interrupt Waits no longer when aborted.
 * @returns What it returns.
 * @throws {Failure} of the host where the lock cannot be had.
 */
export async function whileTaking<T>(
  host: Host,
  act: () => Promise<T>,
  interrupt?: AbortSignal,
): Promise<T> {
  const path = join(RUNTIME, ".taking.lock");
  await host.files.makeDirectory(RUNTIME);
  const lock = await patiently(host, path, TAKING_PATIENCE, interrupt);
  if (lock === null) throw hostFailure(`Cannot lock ${path}: another process holds it`);
  try {
    return await act();
  } finally {
    lock.release();
  }
}

async function patiently(
  host: Host,
  path: string,
  patience: number,
  interrupt?: AbortSignal,
): Promise<Lock | null> {
  const end = host.clock.now() + patience;
  for (;;) {
    const lock = await host.files.lock(path);
    if (lock !== null || host.clock.now() >= end || interrupt?.aborted) return lock;
    host.clock.nap(POLL);
  }
}
