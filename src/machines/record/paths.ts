/** Where machines live on disk. */

import { basename, dirname, join } from "@std/path/posix";
import { RECORDS } from "../../linux/nspawn_leftovers.ts";
import type { MachineName } from "./name.ts";
import { RUNTIME } from "../../runtime_folder.ts";

/** Where a machine sees its own part of {@linkcode RUNTIME}. */
export const INSIDE = "/run/nspawn-runner";

/** Places of one machine. */
export interface MachinePaths {
  /** The record that the machine exists. */
  readonly lease: string;
  /** Its writes, on the store or on a tmpfs mounted there. */
  readonly folder: string;
  /** The file that is a disk of its own for its writes, where it has one. */
  readonly disk: string;
  /** What of ours the machine may write: on a file system apart, where its writes are limited. */
  readonly own: string;
  /** The programs that commands enter it by, where it has them: no machine sees them. */
  readonly tools: string;
  /** What a stage needs, read-only for the machine. Scripts hold tokens: never on a disk. */
  readonly stage: string;
  /** Where a stage proves how it ended. */
  readonly result: string;
  /** What is known of scripts that failed in it. */
  readonly failures: string;
  /** What nspawn and the machine's console said, where no journal keeps it. */
  readonly log: string;
}

/**
 * The places of a machine.
 *
 * @param store The store's folder.
 * @param name The machine.
 * @returns Absolute paths.
 */
export function machinePaths(store: string, name: MachineName): MachinePaths {
  const folder = join(machinesFolder(store), name);
  const own = join(folder, "own");
  return {
    lease: join(leaseFolder(store), `${name}.json`),
    folder,
    disk: diskOf(folder),
    own,
    tools: join(folder, "tools"),
    stage: join(RUNTIME, name),
    result: join(own, "result"),
    failures: join(RUNTIME, `${name}.failures`),
    log: join(RUNTIME, `${name}.log`),
  };
}

/**
 * Where machines write.
 *
 * @param store The store's folder.
 * @returns An absolute path.
 */
export function machinesFolder(store: string): string {
  return join(store, ".machines");
}

/**
 * Where the files are that are disks of machines.
 *
 * @param store The store's folder.
 * @returns An absolute path.
 */
export function disksFolder(store: string): string {
  return join(store, ".disks");
}

/**
 * The file that is a machine's disk: it has to lie outside of the folder that it is mounted on.
 *
 * @param folder The machine's own folder.
 * @returns An absolute path.
 */
export function diskOf(folder: string): string {
  return join(disksFolder(dirname(dirname(folder))), basename(folder));
}

/**
 * A link to a machine's lease, among what lives no longer than the host is up. It lies outside of the
 * folder that the machine sees: root in a machine can make that one writable, and would forge the lease.
 *
 * @param name The machine.
 * @returns An absolute path.
 */
export function leaseLink(name: MachineName): string {
  return join(RUNTIME, `${name}.lease`);
}

/**
 * Held by whoever starts or ends a machine.
 *
 * @param name The machine.
 * @returns An absolute path.
 */
export function machineLock(name: MachineName): string {
  return join(RUNTIME, `${name}.lock`);
}

/**
 * Where leases are.
 *
 * @param store The store's folder.
 * @returns An absolute path.
 */
export function leaseFolder(store: string): string {
  return join(store, ".leases");
}

/**
 * Machined's record of a machine.
 *
 * @param machine The machine's name.
 * @returns An absolute path.
 */
export function recordOf(machine: string): string {
  return join(RECORDS, machine);
}
