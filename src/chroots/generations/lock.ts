/** One change of a chroot at a time. */

import { hostFailure } from "../../failure.ts";
import type { Host, Lock } from "../../host/host.ts";
import type { ChrootName } from "../../config/chroot_name.ts";
import { chrootPlaces, lockFolder } from "./places.ts";
import type { ChrootContext } from "./context.ts";

/**
 * Does something to a chroot that nobody else may do at the same time. The lock ends with the process.
 * A person at a terminal waits for it; nobody else does.
 *
 * @param work How it is worked.
 * @param name The chroot.
 * @param act What is done.
 * @returns What it returns.
 * @throws {Failure} of the host where another process holds the chroot.
 */
export async function whileLocked<T>(
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

/** What locking needs to know. */
export type LockContext = Pick<ChrootContext, "host" | "config" | "interrupt">;

async function waitForLock(
  host: Host,
  store: string,
  name: ChrootName,
  interrupt: AbortSignal,
): Promise<Lock | null> {
  if (!host.terminal.is("stdin") || !host.terminal.is("stderr")) return null;
  host.log.info(`Waiting for ${await holderOf(host, store, name)}, which works on chroot ${name}`);
  while (!interrupt.aborted) {
    const lock = await tryLock(host, store, name);
    if (lock !== null) return lock;
    await host.clock.sleep(PAUSE);
  }
  return null;
}

/** Milliseconds between two tries. */
const PAUSE = 300;

/**
 * Takes a chroot's lock if it is free.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @param name The chroot.
 * @returns Null where another process holds it.
 */
export async function tryLock(host: Host, store: string, name: ChrootName): Promise<Lock | null> {
  await host.files.makeDirectory(store, 0o755);
  await host.files.makeDirectory(lockFolder(store), 0o755);
  return await host.files.lock(chrootPlaces(store, name).lock);
}

/**
 * Whether a process holds the chroot, without trying to take it: anybody may look.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @param name The chroot.
 * @returns False also where the kernel does not tell.
 */
export async function isLocked(host: Host, store: string, name: ChrootName): Promise<boolean> {
  const stat = await host.files.stat(chrootPlaces(store, name).lock);
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
  const holder = (await host.files.read(chrootPlaces(store, name).lock) ?? "").trim();
  return holder === "" ? "another process" : `process ${holder}`;
}
