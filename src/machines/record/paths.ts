/** The files and folders of machines on the host. */

import { basename, dirname, join } from "@std/path/posix";
import { MACHINE_RECORDS } from "../../linux/nspawn_leftovers.ts";
import { CHANNEL } from "./channel.ts";
import type { MachineName } from "./name.ts";
import { RUNTIME_FOLDER } from "../../runtime_folder.ts";

/** Paths of one machine. */
export interface MachinePaths {
  /** Its lease. */
  readonly lease: string;
  /** Its writes: in the store, or on a tmpfs that is mounted there. */
  readonly folder: string;
  /** The image file of the disk for its writes, where they are limited. */
  readonly disk: string;
  /** The files of this program that the machine may write: on its own disk where its writes are limited. */
  readonly own: string;
  /** The folders that its services see as well. */
  readonly shared: string;
  /** The programs that enter it, where it has copies of them: no machine sees them. */
  readonly tools: string;
  /** The files of its channel, read-only for the machine. Scripts hold tokens, so they are never on a disk. */
  readonly stage: string;
  /** The lock that a process holds while it runs a stage. */
  readonly stageLock: string;
  /** The file into which the machine reports how a stage ended. */
  readonly result: string;
  /** Notes about its failed scripts. */
  readonly failures: string;
  /** Notes of the calls of its job, from which the job's record in the history is made. */
  readonly notes: string;
  /** The output of nspawn and of the machine's console, where no journal has it. */
  readonly log: string;
}

/** Returns the paths of a machine. */
export function machinePaths(store: string, name: MachineName): MachinePaths {
  const folder = join(machinesFolder(store), name);
  const own = join(folder, "own");
  return {
    lease: join(leaseFolder(store), `${name}.json`),
    folder,
    disk: diskOf(folder),
    own,
    shared: join(folder, "shared"),
    tools: join(folder, "tools"),
    stage: join(RUNTIME_FOLDER, name),
    stageLock: stageLockOf(name),
    result: join(own, CHANNEL.result),
    failures: join(RUNTIME_FOLDER, `${name}.failures`),
    notes: notesOf(name),
    log: join(RUNTIME_FOLDER, `${name}.log`),
  };
}

/** Returns the lock that a process holds while it runs a stage in a machine. */
export function stageLockOf(name: MachineName): string {
  return join(RUNTIME_FOLDER, `${name}.stage`);
}

/** Returns the file of the notes of a machine's job. */
export function notesOf(name: MachineName): string {
  return join(RUNTIME_FOLDER, `${name}.notes`);
}

/** Returns the folder of all machines' writes. */
export function machinesFolder(store: string): string {
  return join(store, ".machines");
}

/** Returns the folder of what ended machines wrote, where it is removed: on the same file system, to be moved there. */
export function removalsFolder(store: string): string {
  return join(machinesFolder(store), ".leaving");
}

/** Returns the folder of the image files that are disks of machines. */
export function disksFolder(store: string): string {
  return join(store, ".disks");
}

/** Returns the image file of a machine's disk, which lies outside of the folder that it is mounted on. */
export function diskOf(folder: string): string {
  return join(disksFolder(dirname(dirname(folder))), basename(folder));
}

/**
 * Returns the link to a machine's lease; it is gone after a reboot. It lies outside of the folder that the machine
 * sees, where root of the machine could forge the lease.
 */
export function leaseLink(name: MachineName): string {
  return join(RUNTIME_FOLDER, `${name}.lease`);
}

/** Returns the lock that a process holds while it starts or ends a machine. */
export function machineLock(name: MachineName): string {
  return join(RUNTIME_FOLDER, `${name}.lock`);
}

/** Returns the folder of all leases. */
export function leaseFolder(store: string): string {
  return join(store, ".leases");
}

/** Returns systemd-machined's record of a machine. */
export function recordOf(machine: string): string {
  return join(MACHINE_RECORDS, machine);
}
