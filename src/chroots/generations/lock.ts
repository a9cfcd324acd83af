/** The lock of a chroot: one process at a time changes it. */

import type { ChrootName } from "../../config/chroot_name.ts";
import { hostFailure } from "../../failure.ts";
import type { Host, Lock } from "../../host/host.ts";
import { until } from "../../linux/wait.ts";
import type { ChrootContext } from "./context.ts";
import { chrootPaths, lockFolder } from "./paths.ts";

/** The part of the context that locking needs. */
export type LockContext = Pick<ChrootContext, "host" | "config" | "interrupt">;

/**
 * Runs `act` under a chroot's lock, which also ends with the process. Waits for the lock only at a
 * terminal, where a person can interrupt.
 *
 * @throws {Failure} of the host where another process holds the lock.
 */
export async function whileChrootLocked<T>(
  { host, config: { store }, interrupt }: LockContext,
  name: ChrootName,
  act: () => Promise<T>,
): Promise<T> {
  const lock = await tryLock(host, store, name) ?? await waitForLock(host, store, name, interrupt);
  if (lock === null) throw await busy(host, store, name);
  try {
    return await act();
  } finally {
    lock.release();
  }
}

async function waitForLock(
  host: Host,
  store: string,
  name: ChrootName,
  interrupt: AbortSignal,
): Promise<Lock | null> {
  if (!host.terminal.is("stdin") || !host.terminal.is("stderr")) return null;
  host.log.info(`Waiting for ${await holderOf(host, store, name)}, which works on chroot ${name}`);
  const wait = { interval: LOCK_INTERVAL, signal: interrupt };
  return await until(host, wait, () => tryLock(host, store, name));
}

/** Milliseconds between two tries to take a lock. */
const LOCK_INTERVAL = 300;

/** Takes a chroot's lock; returns null where another process holds it. */
export async function tryLock(host: Host, store: string, name: ChrootName): Promise<Lock | null> {
  await host.files.makeDirectory(store, 0o755);
  await host.files.makeDirectory(lockFolder(store), 0o755);
  return await host.files.lock(chrootPaths(store, name).lock);
}

/**
 * Tells whether a process holds a chroot's lock, without taking it, so that every user may ask.
 *
 * @returns False also where /proc/locks cannot be read.
 */
export async function isLocked(host: Host, store: string, name: ChrootName): Promise<boolean> {
  const stat = await host.files.stat(chrootPaths(store, name).lock);
  if (stat === null) return false;
  // proc_locks(5): "1: FLOCK ADVISORY WRITE PID MAJOR:MINOR:INODE START END"
  const { stdout } = await host.processes.capture(["cat", "/proc/locks"]);
  return stdout.split("\n").some((line) => / FLOCK /.test(line) && line.includes(`:${stat.ino} `));
}

async function busy(host: Host, store: string, name: ChrootName): Promise<Error> {
  return hostFailure(
    `Cannot change chroot ${name}: ${await holderOf(host, store, name)} works on it`,
    "Try again when it has ended",
  );
}

async function holderOf(host: Host, store: string, name: ChrootName): Promise<string> {
  const holder = (await host.files.read(chrootPaths(store, name).lock) ?? "").trim();
  return holder === "" ? "another process" : `process ${holder}`;
}
