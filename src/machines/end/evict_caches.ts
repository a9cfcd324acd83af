/** Evicts caches and builds folders: the unused ones by age, the others by their total size. */

import { basename, join } from "@std/path/posix";
import { messageOf } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { diskUsages } from "../../linux/disk.ts";
import { removeUntrustedTree } from "../../linux/untrusted_tree.ts";
import { formatSize } from "../../text/size.ts";
import { BUILDS, CACHES, foldersInUse } from "../record/caches.ts";
import { listCommonLeases } from "../record/lease.ts";
import { whileReserving } from "../record/lock.ts";

/** How much is kept, and for how long. */
export interface RetentionPolicy {
  /** Bytes of all folders together. */
  readonly size: number;
  /** Seconds for which an unused folder is kept. */
  readonly age: number;
}

/** A folder that the policy does not keep. */
export interface EvictionCandidate {
  readonly path: string;
  /** The reason, for a message. */
  readonly reason: string;
  /** When a job last used it, in milliseconds since 1970. */
  readonly used: number;
}

interface Folder {
  readonly path: string;
  /** When a job last used it, in milliseconds since 1970. */
  readonly used: number;
  readonly bytes: number;
}

/** Prefix of folders that are being removed; no hash of a server begins so. */
const REMOVED_PREFIX = ".leaving-";

/**
 * Returns the folders that the policy does not keep: those unused for longer than its age; and while the others
 * exceed its size, the least recently used ones. A folder that a machine uses is never returned.
 */
export async function evictionCandidates(
  host: Host,
  store: string,
  policy: RetentionPolicy,
): Promise<EvictionCandidate[]> {
  const inUse = foldersInUse(await listCommonLeases(host, store));
  const folders = (await listFolders(host, store)).sort((one, other) => other.used - one.used);
  const now = host.clock.now();
  const candidates: EvictionCandidate[] = [];
  let kept = 0;
  for (const { path, used, bytes } of folders) {
    const isOld = now - used > policy.age * 1000;
    if (inUse.has(path) || (!isOld && kept + bytes <= policy.size)) {
      kept += bytes;
      continue;
    }
    const days = Math.floor((now - used) / 86_400_000);
    const reason = isOld
      ? `unused for ${days} days (cache_max_age)`
      : `${formatSize(bytes)}; newer caches already fill cache_max_size`;
    candidates.push({ path, reason, used });
  }
  return candidates;
}

/**
 * Removes folders that no machine uses, the least recently used one first, until enough is free.
 *
 * @param isEnough Asked before each removal.
 */
export async function evictUnusedFolders(
  host: Host,
  store: string,
  isEnough: () => Promise<boolean>,
): Promise<void> {
  const candidates = await evictionCandidates(host, store, { size: -1, age: Infinity });
  for (const candidate of candidates.reverse()) {
    if (await isEnough()) return;
    host.log.info(`Removing ${candidate.path}: disk space is short (disk_reserve)`);
    await evictFolders(host, store, [candidate]);
  }
}

/** Removes the candidates that no job has taken since, and what an interrupted removal left. */
export async function evictFolders(
  host: Host,
  store: string,
  candidates: readonly EvictionCandidate[],
): Promise<void> {
  if (candidates.length > 0) await moveAside(host, store, candidates);
  for (const { name } of [CACHES, BUILDS]) {
    const root = join(store, name);
    for (const entry of await host.files.list(root)) {
      if (entry.startsWith(REMOVED_PREFIX)) await removeOne(host, join(root, entry));
    }
  }
}

/** A failure is logged, so that the other folders are removed all the same. */
async function removeOne(host: Host, path: string): Promise<void> {
  try {
    await removeUntrustedTree(host, path);
  } catch (error) {
    host.log.warn(messageOf(error));
  }
}

/** Renames folders while no job can take one; removing them would hold up all jobs. */
async function moveAside(
  host: Host,
  store: string,
  candidates: readonly EvictionCandidate[],
): Promise<void> {
  await whileReserving(host, async () => {
    const inUse = foldersInUse(await listCommonLeases(host, store));
    for (const { path, used } of candidates) {
      // A job may have used it since, and ended by now.
      if (inUse.has(path) || await lastUse(host, path) !== used) continue;
      const root = join(
        store,
        path.startsWith(join(store, CACHES.name)) ? CACHES.name : BUILDS.name,
      );
      await host.files.rename(
        path,
        join(root, REMOVED_PREFIX + crypto.randomUUID() + basename(path)),
      );
    }
  });
}

async function listFolders(host: Host, store: string): Promise<Folder[]> {
  const paths: string[] = [];
  for (const { name, depth } of [CACHES, BUILDS]) {
    paths.push(...await foldersBelow(host, join(store, name), depth));
  }
  const bytes = await diskUsages(host, paths);
  const folders: Folder[] = [];
  for (const path of paths) {
    const used = await lastUse(host, path);
    if (used !== undefined) folders.push({ path, used, bytes: bytes.get(path) ?? 0 });
  }
  return folders;
}

async function lastUse(host: Host, path: string): Promise<number | undefined> {
  return (await host.files.lstat(path))?.modified?.getTime();
}

/** Returns the folders at a depth below one. */
async function foldersBelow(host: Host, folder: string, depth: number): Promise<string[]> {
  if (depth === 0) return [folder];
  const paths: string[] = [];
  for (const entry of await host.files.list(folder)) {
    if (!entry.startsWith(REMOVED_PREFIX)) {
      paths.push(...await foldersBelow(host, join(folder, entry), depth - 1));
    }
  }
  return paths;
}
