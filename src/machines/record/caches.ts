/** The folders of a project that outlive its machines: its cache, and its builds where they are persistent. */

import { join, relative } from "@std/path/posix";
import type { Host } from "../../host/host.ts";
import { listCommonLeases } from "./lease.ts";

/** The owner of folders. Jobs of protected branches share none with others, which could poison a cache. */
export interface CacheOwner {
  /** A hash of the GitLab server's identity. */
  readonly server: string;
  /** The project's id, unique on its server. */
  readonly project: string;
  /** The refs whose jobs share the folders, as one component of a path: `protected` or `unprotected`. */
  readonly refs: string;
}

/** A file or folder of the host that is bound into a machine. */
export interface Bind {
  /** Its path on the host. */
  readonly from: string;
  /** Its path in the machine. */
  readonly to: string;
  readonly readOnly: boolean;
  /** Whether files keep the owners that they have on the disk, also in a machine with user ids of its own. */
  readonly keepsDiskOwners: boolean;
}

/** The folders that a machine has reserved. */
export interface ReservedFolders {
  /** The folders: they are in use while a lease names them. */
  readonly folders: readonly string[];
  readonly binds: readonly Bind[];
}

/** The folders of its project that a machine needs. */
export interface ProjectFolders {
  readonly owner: CacheOwner;
  /** The path of the cache in the machine. */
  readonly cache: string;
  /** The path of the builds folder in the machine; undefined where builds end with their machine. */
  readonly builds: string | undefined;
}

/** The folder of all caches, and the depth of a cache below it: server, project, protected or not. */
export const CACHES = { name: ".cache", depth: 3 } as const;
/** The same of builds folders, which also have a slot. */
export const BUILDS = { name: ".builds", depth: 4 } as const;
/** The same of caches of pipelines without GitLab: working copy, key. */
export const PIPELINE_CACHES = { name: ".pipelines/caches", depth: 2 } as const;

/** All folders that outlive machines. */
export const KEPT_FOLDERS = [CACHES, BUILDS, PIPELINE_CACHES] as const;

/**
 * Reserves folders of a project, and makes those that are missing. Machines share a cache; a builds folder belongs to
 * one machine at a time, so that a further slot is made when all are taken. The caller holds the reservation lock
 * until a lease names the folders.
 *
 * @param users The user who writes each of them: each has folders of its own, since it cannot write those of another.
 */
export async function reserveFolders(
  host: Host,
  store: string,
  plan: ProjectFolders,
  users: { readonly cache: number; readonly builds: number },
): Promise<ReservedFolders> {
  const cache = pathParts(plan.owner, users.cache);
  const wanted = [{ folder: join(store, CACHES.name, ...cache), to: plan.cache }];
  if (plan.builds !== undefined) {
    const parts = pathParts(plan.owner, users.builds);
    wanted.push({ folder: await freeBuildsFolder(host, store, parts), to: plan.builds });
  }
  const binds: Bind[] = [];
  for (const { folder, to } of wanted) {
    const from = join(folder, DATA_FOLDER);
    await host.files.makeDirectory(folder); // for root alone: jobs may leave set-uid programs there
    await host.files.makeDirectory(from, 0o755);
    await host.files.touch(folder, host.clock.now());
    binds.push({ from, to, readOnly: false, keepsDiskOwners: true });
  }
  return { folders: wanted.map(({ folder }) => folder), binds };
}

/** Prefix of folders that are being removed, beside those of servers: the hash of a server does not begin so. */
export const REMOVED_PREFIX = ".leaving-";

/** The part of a folder that machines see; the folder itself holds the time of its last use. */
const DATA_FOLDER = "data";

/** Returns the folders that leases of a store name, by the store's path; a lease may have another one, with a symlink. */
export async function foldersInUse(host: Host, store: string): Promise<Set<string>> {
  const leases = await listCommonLeases(host, store);
  return new Set(
    leases.flatMap((lease) =>
      lease.folders.map((path) => join(store, relative(lease.store, path)))
    ),
  );
}

async function freeBuildsFolder(
  host: Host,
  store: string,
  parts: readonly string[],
): Promise<string> {
  const taken = await foldersInUse(host, store);
  for (let slot = 0;; slot++) {
    const folder = join(store, BUILDS.name, ...parts, `${slot}`);
    if (!taken.has(folder)) return folder;
  }
}

function pathParts({ server, project, refs }: CacheOwner, uid: number): string[] {
  return [server, project, uid === 0 ? refs : `${refs}-${uid}`];
}
