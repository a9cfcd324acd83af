/** Leases: the record that a machine exists, written before anything is created, removed last. */

import { join } from "@std/path/posix";
import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { isMachineName, type MachineName } from "./name.ts";
import type { Network } from "./network.ts";
import { leaseFolder, leaseLink, machinePaths } from "./paths.ts";
import { RUNTIME } from "../../runtime_folder.ts";
import type { ProcessId } from "../../linux/proc.ts";
import type { MachineUser } from "./user.ts";

/** How the machine's writes are kept off its chroot. */
export type StorageKind = "overlay" | "btrfs" | "tmpfs";

/** Who keeps the machine alive. */
export type SupervisorKind = "systemd" | "standalone";

/** Tells the store's folder; asked only where nothing else does, since it may read the configuration. */
export type StoreFinder = () => Promise<string>;

/** The record of one machine. It holds no secret. */
export interface Lease {
  readonly version: 1;
  readonly machine: MachineName;
  /** The store that it lives in. */
  readonly store: string;
  /** Which boot of the host it belongs to: after another one nothing of it runs. */
  readonly boot: string;
  /** When it was made, as ISO 8601. */
  readonly created: string;
  /** When its job began, as ISO 8601: a stage before this one may have noted it. */
  readonly began: string;
  /** When its time is over, as ISO 8601, whoever watches over it. */
  readonly deadline: string;
  readonly job: string;
  /** A short hash of what tells the job's server from others; null by hand. */
  readonly server: string | null;
  /** Seconds that GitLab gives the job; null where nobody tells. */
  readonly timeout: number | null;
  /** The GitLab Runner that asked for it; null by hand. */
  readonly runner: ProcessId | null;
  /** Seconds for which what a failed script wrote is kept. */
  readonly keep: number;
  readonly chroot: UsedChroot;
  readonly storage: StorageKind;
  readonly supervisor: SupervisorKind;
  readonly booted: boolean;
  /** The shell of scripts that name none. */
  readonly shell: string;
  /** Who runs scripts; null for root. */
  readonly user: MachineUser | null;
  /** The first of the host's ids that are its own; null where it shares those of the host. */
  readonly ids: number | null;
  /** The layer that gives its chroot's files those ids; null where the host maps them. */
  readonly layer: string | null;
  /** What it sees of the network. */
  readonly network: Network;
  /** Bytes that it may write; null for no limit. */
  readonly diskMax: number | null;
  /** Folders that outlive it, and are in use while it is there. */
  readonly folders: readonly string[];
  /** The cgroup that we make for it and its twins; none where systemd makes one. */
  readonly cgroups: readonly string[];
  /** Who prepares it, until it is prepared. */
  readonly preparer: ProcessId | null;
  /** The machine's PID 1 as the host sees it, once it runs. */
  readonly leader: Leader | null;
  /** Until when its writes are kept for a look, as ISO 8601; null for a machine that runs. */
  readonly held: string | null;
}

/** The chroot that a machine started from. */
export interface UsedChroot {
  readonly name: string;
  /** The tree, without symlinks on the way. */
  readonly path: string;
}

/** A machine's PID 1, with what a command needs that enters beside it. */
export interface Leader extends ProcessId {
  /** Its cgroup, as a path in the host's file system. */
  readonly cgroup: string;
  /** The capabilities that it can never have, by number. */
  readonly dropped: readonly number[];
  readonly noNewPrivileges: boolean;
  /** Whether its system calls are filtered. */
  readonly filtered: boolean;
}

/**
 * Writes or replaces a lease in one step.
 *
 * @param host The outside.
 * @param lease What is recorded.
 */
export async function writeLease(host: Host, lease: Lease): Promise<void> {
  await host.files.makeDirectory(leaseFolder(lease.store));
  await host.files.replace(
    machinePaths(lease.store, lease.machine).lease,
    JSON.stringify(lease, null, 2) + "\n",
  );
}

/**
 * The lease of a machine.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @param machine Whose lease.
 * @returns Null when the machine does not exist.
 * @throws {Failure} of the host where the file is none of ours.
 */
export async function readLease(
  host: Host,
  store: string,
  machine: MachineName,
): Promise<Lease | null> {
  const path = machinePaths(store, machine).lease;
  const text = await host.files.read(path);
  if (text === null) return null;
  const lease = parse(text);
  if (lease === null || lease.machine !== machine) {
    throw hostFailure(`Cannot read lease ${path}: it is damaged`, "Remove the file");
  }
  return lease;
}

/**
 * The lease of a machine that was prepared since the host is up. Its link says where it is, so that
 * no configuration is read, and one that was changed since loses no machine.
 *
 * @param host The outside.
 * @param machine Whose lease.
 * @param store Tells the store's folder, where there is no such link.
 * @returns Null when the machine does not exist.
 * @throws {Failure} of the host where the file is none of ours.
 */
export async function findLease(
  host: Host,
  machine: MachineName,
  store: StoreFinder,
): Promise<Lease | null> {
  const lease = parse(await host.files.read(leaseLink(machine)) ?? "");
  return lease?.machine === machine ? lease : await readLease(host, await store(), machine);
}

/**
 * All leases; damaged ones are left out.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @returns One lease a machine, sorted by name.
 */
export async function listLeases(host: Host, store: string): Promise<Lease[]> {
  const leases: Lease[] = [];
  for (const file of await host.files.list(leaseFolder(store))) {
    const name = file.replace(/\.json$/, "");
    if (name === file || !isMachineName(name)) continue;
    const lease = parse(await host.files.read(machinePaths(store, name).lease) ?? "");
    if (lease?.machine === name) leases.push(lease);
  }
  return leases;
}

/**
 * All leases of a store, and those of other stores on this host whose machines were started since it is up.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @returns One lease a machine.
 */
export async function leasesOfHost(host: Host, store: string): Promise<Lease[]> {
  const leases = await listLeases(host, store);
  for (const entry of await host.files.list(RUNTIME)) {
    if (!entry.endsWith(".lease")) continue;
    const lease = parse(await host.files.read(join(RUNTIME, entry)) ?? "");
    if (lease !== null && lease.store !== store) leases.push(lease);
  }
  return leases;
}

/**
 * Removes a lease; fine when it is gone already.
 *
 * @param host The outside.
 * @param lease Which.
 */
export function removeLease(host: Host, { store, machine }: Lease): Promise<void> {
  return host.files.remove(machinePaths(store, machine).lease);
}

function parse(text: string): Lease | null {
  try {
    const lease = JSON.parse(text);
    const isWhole = lease?.version === 1 && TEXTS.every((key) => typeof lease[key] === "string");
    return isWhole && lease.held !== undefined ? { ...BEFORE, ...lease } : null;
  } catch {
    return null;
  }
}

/** What leases of earlier releases do not say. */
const BEFORE = {
  user: null,
  ids: null,
  layer: null,
  diskMax: null,
  network: { kind: "host" },
} as const;

/** A lease of another version, or one that somebody edited, may lack what all later steps rely on. */
const TEXTS = ["machine", "store", "boot", "created", "began", "deadline", "job"];
