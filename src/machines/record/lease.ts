/** Leases: the record that a machine exists. It is written before anything is created. */

import { join } from "@std/path/posix";
import { type Failure, hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import type { MachineDescription } from "./description.ts";
import { type RootSource, treeAsLower } from "./lower.ts";
import { isMachineName, type MachineName } from "./name.ts";
import type { Network } from "./network.ts";
import { leaseFolder, leaseLink, machinePaths } from "./paths.ts";
import { RUNTIME_FOLDER } from "../../runtime_folder.ts";
import type { ProcessId } from "../../linux/proc.ts";
import type { MachineUser } from "./user.ts";

/** How the machine's writes are kept apart from its chroot; `tree` where they change the chroot's tree itself. */
export type StorageKind = "overlay" | "btrfs" | "tmpfs" | "tree";

/** What keeps the machine alive. */
export type SupervisorKind = "systemd" | "standalone";

/** Returns the store's folder; called only where it is not known otherwise, since it may read the configuration. */
export type StoreFinder = () => Promise<string>;

/** The record of one machine. It holds no secret. */
export interface Lease {
  readonly version: 1;
  readonly machine: MachineName;
  /** The folder of its store. */
  readonly store: string;
  /** The id of its host, as machine-id(5); null where the host has none, and in leases of earlier releases. */
  readonly host: string | null;
  /** The boot of the host in which it was made: after another boot nothing of it runs. */
  readonly boot: string;
  /** When it was reserved, as ISO 8601. */
  readonly created: string;
  /** When its job began, as ISO 8601; the config stage may have noted it. */
  readonly began: string;
  /** When it is ended in any case, as ISO 8601. */
  readonly deadline: string;
  /** The same in seconds since boot, which counts where it is known: the host's time may be set meanwhile. */
  readonly deadlineUptime: number | null;
  readonly job: string;
  /** A hash of the GitLab server's identity, of eight digits in leases of earlier releases; null by hand. */
  readonly server: string | null;
  /** The job's time-out in seconds; null where GitLab sent none. */
  readonly timeout: number | null;
  /** The process whose end also ends the machine: a GitLab Runner; null by hand. */
  readonly runner: ProcessId | null;
  /** Seconds for which the writes of a failed job are kept. */
  readonly keep: number;
  readonly chroot: UsedChroot;
  /** The tree in which GitLab Runner's own stages run; null where the machine has one root. */
  readonly helper: string | null;
  readonly storage: StorageKind;
  readonly supervisor: SupervisorKind;
  readonly booted: boolean;
  /** The shell of scripts without a `#!` line. */
  readonly shell: string;
  /** The user of scripts; null for root. */
  readonly user: MachineUser | null;
  /** The first id of its range; null where it shares the ids of the host. */
  readonly ids: number | null;
  /** The shifted layer that gives the chroot's files those ids; null where the kernel maps them. */
  readonly layer: string | null;
  readonly network: Network;
  /** Bytes that it may write; null for no limit. */
  readonly diskMax: number | null;
  /** Folders of its project, which are in use as long as this lease exists. */
  readonly folders: readonly string[];
  /** The cgroups that this program makes for it, one per hierarchy; none where systemd makes it. */
  readonly cgroups: readonly string[];
  /** The process that prepares it; null once it is prepared. */
  readonly preparer: ProcessId | null;
  /** The machine's PID 1; null until it runs. */
  readonly leader: Leader | null;
  /** Until when its writes are kept for inspection, as ISO 8601; null for a machine that has not ended. */
  readonly held: string | null;
  /** The machines of the job's services, which end with this one. */
  readonly services: readonly JobService[];
  /** Its role as a service of a job; null for the machine of a job. */
  readonly service: ServiceRole | null;
  /** What the history tells of its job; null for machines that are of no job, or of a service of one. */
  readonly description: MachineDescription | null;
}

/** A service of a job, as the lease of the job's machine names it. */
export interface JobService {
  readonly machine: MachineName;
  /** The names by which the job reaches it. */
  readonly aliases: readonly string[];
}

/** The part of a lease that only machines of services have. */
export interface ServiceRole {
  /** The machine of its job. */
  readonly job: MachineName;
  readonly aliases: readonly string[];
  /** The image as the job names it. */
  readonly image: string;
  /** Whether its program reports to the host; false where its systemd starts the servers. */
  readonly reports: boolean;
  /** The process that starts the job's machines: the job's lease may be written after this one. */
  readonly starter: ProcessId;
}

/**
 * What is reserved for a machine, and by which its processes are found: the part of a lease that every version of this
 * program writes alike, so that no version gives it away while another one uses it.
 */
export type CommonLease = Pick<
  Lease,
  | "machine"
  | "store"
  | "host"
  | "boot"
  | "chroot"
  | "helper"
  | "storage"
  | "ids"
  | "layer"
  | "network"
  | "folders"
  | "preparer"
  | "leader"
  | "held"
>;

/** The chroot or the pulled image that a machine started from. */
export interface UsedChroot extends RootSource {
  readonly name: string;
}

/** A machine's PID 1, and the restrictions that a command takes over when it enters the machine. */
export interface Leader extends ProcessId {
  /** Its cgroup, as a path in the host's file system. */
  readonly cgroup: string;
  /** The capabilities missing from its bounding set, by number. */
  readonly dropped: readonly number[];
  readonly noNewPrivileges: boolean;
  /** Whether seccomp filters its system calls. */
  readonly filtered: boolean;
}

/**
 * Writes or replaces a lease atomically. Only kept files outlive a crash of the host: what is left of other machines then,
 * gc also finds where their leases are damaged.
 */
export async function writeLease(host: Host, lease: Lease): Promise<void> {
  await host.files.makeDirectory(leaseFolder(lease.store));
  const path = machinePaths(lease.store, lease.machine).lease;
  const text = JSON.stringify(lease, null, 2) + "\n";
  await (lease.held === null
    ? host.files.replaceVolatile(path, text)
    : host.files.replace(path, text));
}

/**
 * Returns the lease of a machine; null where there is no such machine.
 *
 * @throws {Failure} of the host where the file is damaged, or another version of this program wrote it.
 */
export async function readLease(
  host: Host,
  store: string,
  machine: MachineName,
): Promise<Lease | null> {
  const path = machinePaths(store, machine).lease;
  const text = await host.files.read(path);
  if (text === null) return null;
  const lease = parseLease(text);
  if (lease === null || lease.machine !== machine) {
    const isOfAnotherVersion = parseCommonLease(text)?.machine === machine;
    throw hostFailure(
      `Cannot read lease ${path}: ${
        isOfAnotherVersion ? "another version of nspawn-runner wrote it" : "it is damaged"
      }`,
      "When the machine has ended, remove what is left of it: nspawn-runner gc",
    );
  }
  return lease;
}

/**
 * Returns the lease of a machine; null where there is no such machine. Follows the machine's link, so that a machine
 * is found without the configuration, and also after its `store` was changed.
 *
 * @param store Called only where there is no link, as for machines of an earlier boot.
 * @throws {Failure} of the host where the file is damaged.
 */
export async function findLease(
  host: Host,
  machine: MachineName,
  store: StoreFinder,
): Promise<Lease | null> {
  const lease = parseLease(await host.files.read(leaseLink(machine)) ?? "");
  return lease?.machine === machine ? lease : await readLease(host, await store(), machine);
}

/** Returns the leases of a store, sorted by machine, without damaged ones and those of other versions. */
export function listLeases(host: Host, store: string): Promise<Lease[]> {
  return listParsed(host, store, parseLease);
}

/** Returns what all leases of a store reserve, also those of other versions, sorted by machine. */
export function listCommonLeases(host: Host, store: string): Promise<CommonLease[]> {
  return listParsed(host, store, parseCommonLease);
}

async function listParsed<T extends CommonLease>(
  host: Host,
  store: string,
  parse: (text: string) => T | null,
): Promise<T[]> {
  const leases: T[] = [];
  for (const file of await host.files.list(leaseFolder(store))) {
    const name = file.replace(/\.json$/, "");
    if (name === file || !isMachineName(name)) continue;
    const lease = parse(await host.files.read(machinePaths(store, name).lease) ?? "");
    if (lease?.machine === name) leases.push(lease);
  }
  return leases;
}

/**
 * Returns what the leases of a store reserve, and those of other stores whose machines were started in this boot; also
 * leases of other versions.
 */
export async function leasesOfHost(host: Host, store: string): Promise<CommonLease[]> {
  const leases = await listCommonLeases(host, store);
  for (const entry of await host.files.list(RUNTIME_FOLDER)) {
    if (!entry.endsWith(".lease")) continue;
    const lease = parseCommonLease(await host.files.read(join(RUNTIME_FOLDER, entry)) ?? "");
    if (lease === null || lease.store === store) continue;
    // A lease of this store may have another path of it, with a symlink.
    const path = await host.files.real(join(RUNTIME_FOLDER, entry));
    if (path !== machinePaths(store, lease.machine).lease) leases.push(lease);
  }
  return leases;
}

/** Returns the id of this host; null where it has none. */
export async function machineId(host: Host): Promise<string | null> {
  return (await host.files.read("/etc/machine-id"))?.trim() || null;
}

/** Returns whether a lease is of another host, which sees the same store. */
export function isOfOtherHost(lease: Pick<Lease, "host">, own: string | null): boolean {
  return lease.host !== null && own !== null && lease.host !== own;
}

/** Returns the failure to use a store in which another host has a machine; null where none has. */
export function otherHostFailure(
  leases: readonly CommonLease[],
  own: string | null,
): Failure | null {
  const other = leases.find((lease) => isOfOtherHost(lease, own));
  if (other === undefined) return null;
  return hostFailure(
    `Cannot use store ${other.store}: another host has machine ${other.machine} in it`,
    `Give each host a store of its own. If that host is gone: rm ${
      machinePaths(other.store, other.machine).lease
    }`,
  );
}

/** Removes a lease, if it exists. */
export function removeLease(host: Host, { store, machine }: Lease): Promise<void> {
  return host.files.remove(machinePaths(store, machine).lease);
}

function parseLease(text: string): Lease | null {
  try {
    const lease = JSON.parse(text);
    const isWhole = lease?.version === 1 &&
      REQUIRED_STRINGS.every((key) => typeof lease[key] === "string");
    if (!isWhole || lease.held === undefined) return null;
    return { ...DEFAULTS, ...lease, chroot: withLower(lease.chroot) };
  } catch {
    return null;
  }
}

/** Returns what a lease of any version reserves; null where the file is damaged. */
export function parseCommonLease(text: string): CommonLease | null {
  const whole = parseLease(text);
  if (whole !== null) return whole;
  try {
    const lease = JSON.parse(text);
    if (!isMachineName(lease.machine) || typeof lease.store !== "string") return null;
    return {
      machine: lease.machine,
      store: lease.store,
      host: typeof lease.host === "string" ? lease.host : null,
      boot: String(lease.boot),
      chroot: withLower({
        name: String(lease.chroot?.name),
        path: String(lease.chroot?.path),
      }),
      helper: typeof lease.helper === "string" ? lease.helper : null,
      storage: lease.storage,
      ids: Number.isInteger(lease.ids) ? lease.ids : null,
      layer: typeof lease.layer === "string" ? lease.layer : null,
      network: Number.isInteger(lease.network?.slot)
        ? { kind: "private", slot: lease.network.slot }
        : { kind: "host" },
      folders: Array.isArray(lease.folders) ? lease.folders : [],
      preparer: Number.isInteger(lease.preparer?.pid) ? lease.preparer : null,
      leader: Number.isInteger(lease.leader?.pid) ? lease.leader : null,
      held: typeof lease.held === "string" ? lease.held : null,
    };
  } catch {
    return null;
  }
}

/** Machines of earlier releases have a whole tree as their root. */
function withLower(chroot: Omit<UsedChroot, "lower">): UsedChroot {
  return { lower: treeAsLower(`${chroot?.path}`), ...chroot };
}

/** The fields that leases of earlier releases lack. */
const DEFAULTS = {
  helper: null,
  user: null,
  ids: null,
  layer: null,
  diskMax: null,
  network: { kind: "host" },
  deadlineUptime: null,
  host: null,
  services: [],
  service: null,
  description: null,
} as const;

/** Checked since a lease may have been edited, or be of another version. */
const REQUIRED_STRINGS = ["machine", "store", "boot", "created", "began", "deadline", "job"];
