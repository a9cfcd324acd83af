/** Folders that outlive machines: a project's cache, and its builds where that is asked for. */

import { join } from "@std/path/posix";
import type { Host } from "../../host/host.ts";
import { type Lease, listLeases } from "./lease.ts";

/** Whose folders they are. Jobs of protected branches share none with others, who could poison them. */
export interface CacheOwner {
  /** A short hash of what tells the project's server from others. */
  readonly server: string;
  /** The project's id, unique for its server. */
  readonly project: string;
  readonly isProtected: boolean;
}

/** A folder of the host that a machine sees. */
export interface Bind {
  /** Its path on the host. */
  readonly from: string;
  /** Its path in the machine. */
  readonly to: string;
  readonly readOnly: boolean;
  /** Whether owners inside are those on the disk, also where the machine has ids of its own. */
  readonly sameOwners: boolean;
}

/** What of a project's folders a machine gets. */
export interface ReservedFolders {
  /** The folders, in use while a lease names them. */
  readonly folders: readonly string[];
  readonly binds: readonly Bind[];
}

/** What a machine is to have of its project's folders. */
export interface ProjectFolders {
  readonly owner: CacheOwner;
  /** Where the cache is in the machine. */
  readonly cache: string;
  /** Where builds are in the machine; undefined where they go with it. */
  readonly builds: string | undefined;
}

/** Where all caches of a store are: server, project, protected or not. */
export const CACHES = { name: ".cache", depth: 3 } as const;
/** Where all builds folders are: the same, and a slot. */
export const BUILDS = { name: ".builds", depth: 4 } as const;

/**
 * Picks a project's folders and makes what is missing. Any number of machines share a cache; a builds
 * folder belongs to one at a time, and the next slot is made when all are taken. The caller holds the
 * store's lock until a lease names them.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @param plan What is wanted.
 * @param uid Who runs the machine's scripts: users could not write what another one made.
 * @returns What the machine gets to see.
 */
export async function reserveFolders(
  host: Host,
  store: string,
  plan: ProjectFolders,
  uid: number,
): Promise<ReservedFolders> {
  const parts = partsOf(plan.owner, uid);
  const wanted = [{ folder: join(store, CACHES.name, ...parts), to: plan.cache }];
  if (plan.builds !== undefined) {
    wanted.push({ folder: await freeSlot(host, store, parts), to: plan.builds });
  }
  const binds: Bind[] = [];
  for (const { folder, to } of wanted) {
    const from = join(folder, DATA);
    await host.files.makeDirectory(folder); // for root alone: jobs may leave set-uid programs there
    await host.files.makeDirectory(from, 0o755);
    await host.files.touch(folder, host.clock.now());
    binds.push({ from, to, readOnly: false, sameOwners: true });
  }
  return { folders: wanted.map(({ folder }) => folder), binds };
}

/** What machines see of a folder; the folder itself, with the time of its last use, is ours. */
const DATA = "data";

/**
 * The folders that leases name.
 *
 * @param leases All leases of the store.
 * @returns Absolute paths.
 */
export function foldersInUse(leases: readonly Lease[]): Set<string> {
  return new Set(leases.flatMap(({ folders }) => folders));
}

async function freeSlot(host: Host, store: string, parts: readonly string[]): Promise<string> {
  const taken = foldersInUse(await listLeases(host, store));
  for (let slot = 0;; slot++) {
    const folder = join(store, BUILDS.name, ...parts, `${slot}`);
    if (!taken.has(folder)) return folder;
  }
}

function partsOf({ server, project, isProtected }: CacheOwner, uid: number): string[] {
  const refs = isProtected ? "protected" : "unprotected";
  return [server, project, uid === 0 ? refs : `${refs}-${uid}`];
}
