/** Evicts caches and builds folders: the unused ones by age, the others by their total size. */

import { join } from "@std/path/posix";
import type { Host } from "../../host/host.ts";
import { diskUsages } from "../../linux/disk.ts";
import { readMounts } from "../../linux/lookup.ts";
import { mountOf } from "../../linux/proc.ts";
import { formatSize } from "../../text/size.ts";
import { foldersInUse, KEPT_FOLDERS, REMOVED_PREFIX } from "../record/caches.ts";
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

type Folder = Omit<EvictionCandidate, "reason">;

/** What becomes of all folders. */
export interface Eviction {
  /** The folders that the policy does not keep. */
  readonly candidates: EvictionCandidate[];
  /** Bytes of the others. */
  readonly kept: number;
}

/**
 * Finds the folders that a policy does not keep: those unused for longer than its age; and while the others exceed its
 * size, the least recently used ones. A folder that a machine uses is never one of them.
 */
export async function planEviction(
  host: Host,
  store: string,
  policy: RetentionPolicy,
): Promise<Eviction> {
  const inUse = await foldersInUse(host, store);
  const folders = await listFolders(host, store);
  const sizes = await diskUsages(host, folders.map(({ path }) => path));
  const now = host.clock.now();
  const candidates: EvictionCandidate[] = [];
  let kept = 0;
  for (const { path, used } of folders.reverse()) {
    const bytes = sizes.get(path) ?? 0;
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
  return { candidates, kept };
}

/** Returns how many folders there are. */
export async function countFolders(host: Host, store: string): Promise<number> {
  return (await listFolders(host, store)).length;
}

/** Returns the bytes of each folder that du(1) can read. */
export async function folderSizes(host: Host, store: string): Promise<number[]> {
  const folders = await listFolders(host, store);
  return [...(await diskUsages(host, folders.map(({ path }) => path))).values()];
}

/**
 * Returns the folders on the store's file system that no machine uses, the least recently used one first; their size is
 * not read. To remove others would free nothing there.
 */
export async function unusedFolders(host: Host, store: string): Promise<EvictionCandidate[]> {
  const inUse = await foldersInUse(host, store);
  const mounts = await readMounts(host);
  // Of btrfs, stat(2) has another device for each subvolume, although these share the disk.
  const deviceOf = async (path: string) =>
    mountOf(mounts, await host.files.real(path) ?? path)?.device;
  const device = await deviceOf(store);
  const unused: EvictionCandidate[] = [];
  for (const folder of await listFolders(host, store)) {
    if (inUse.has(folder.path) || await deviceOf(folder.path) !== device) continue;
    unused.push({ ...folder, reason: "disk space is short (disk_reserve)" });
  }
  return unused;
}

/**
 * Moves the candidates that no job has taken since aside, to be removed: meanwhile no job can take one, and none waits
 * for the removal.
 *
 * @returns The new paths.
 */
export async function moveFoldersAside(
  host: Host,
  store: string,
  candidates: readonly EvictionCandidate[],
): Promise<string[]> {
  if (candidates.length === 0) return [];
  const moved: string[] = [];
  await whileReserving(host, async () => {
    const inUse = await foldersInUse(host, store);
    for (const { path, used } of candidates) {
      // A job may have used it since, and ended by now.
      if (inUse.has(path) || await lastUse(host, path) !== used) continue;
      const { name } = KEPT_FOLDERS.find(({ name }) => path.startsWith(join(store, name, "/")))!;
      const aside = `${REMOVED_PREFIX}${crypto.randomUUID()}-${host.clock.now()}`;
      await host.files.rename(path, join(store, name, aside));
      moved.push(join(store, name, aside));
    }
  });
  return moved;
}

/** Returns all folders, the least recently used one first. */
async function listFolders(host: Host, store: string): Promise<Folder[]> {
  const folders: Folder[] = [];
  for (const { name, depth } of KEPT_FOLDERS) {
    for (const path of await foldersBelow(host, join(store, name), depth)) {
      const used = await lastUse(host, path);
      if (used !== undefined) folders.push({ path, used });
    }
  }
  return folders.sort((one, other) => one.used - other.used);
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
