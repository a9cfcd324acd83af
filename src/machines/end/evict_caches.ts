/** Caches and builds folders that are too old, or too many. */

import { basename, join } from "@std/path/posix";
import { messageOf } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { removeStrangersTree } from "../../linux/untrusted_tree.ts";
import { asSize } from "../../text/size.ts";
import { BUILDS, CACHES, foldersInUse } from "../record/caches.ts";
import { listLeases } from "../record/lease.ts";
import { whileReserving } from "../record/lock.ts";

/** How much may be kept, and how long. */
export interface RetentionPolicy {
  /** Bytes of all together. */
  readonly size: number;
  /** Seconds without a job. */
  readonly age: number;
}

/** A folder that may go. */
export interface EvictionCandidate {
  readonly path: string;
  /** Why, for a message. */
  readonly reason: string;
}

interface Folder {
  readonly path: string;
  /** When a job last took it, in milliseconds since 1970. */
  readonly used: number;
  readonly bytes: number;
}

/** Folders on their way out begin so; no server's hash does. */
const LEAVING = ".leaving-";

/**
 * The folders of a store that may go: unused for too long, and of the rest the least recently used
 * above the size. What a machine uses is none of them.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @param keeping What may be kept.
 * @returns Each with its reason.
 */
export async function evictionCandidates(
  host: Host,
  store: string,
  keeping: RetentionPolicy,
): Promise<EvictionCandidate[]> {
  const inUse = foldersInUse(await listLeases(host, store));
  const folders = (await listFolders(host, store)).sort((one, other) => other.used - one.used);
  const now = host.clock.now();
  const spare: EvictionCandidate[] = [];
  let kept = 0;
  for (const { path, used, bytes } of folders) {
    const isOld = now - used > keeping.age * 1000;
    if (inUse.has(path) || (!isOld && kept + bytes <= keeping.size)) {
      kept += bytes;
      continue;
    }
    const days = Math.floor((now - used) / 86_400_000);
    const reason = isOld
      ? `unused for ${days} days, cache_max_age`
      : `${asSize(bytes)} above cache_max_size`;
    spare.push({ path, reason });
  }
  return spare;
}

/**
 * Removes folders, unless a job took one since; and what an interrupted removal left.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @param spare Which.
 */
export async function evictFolders(
  host: Host,
  store: string,
  spare: readonly EvictionCandidate[],
): Promise<void> {
  if (spare.length > 0) await moveAway(host, store, spare);
  for (const { name } of [CACHES, BUILDS]) {
    const root = join(store, name);
    for (const entry of await host.files.list(root)) {
      if (entry.startsWith(LEAVING)) await removeOne(host, join(root, entry));
    }
  }
}

/** One that does not go keeps no other from going. */
async function removeOne(host: Host, path: string): Promise<void> {
  try {
    await removeStrangersTree(host, path);
  } catch (error) {
    host.log.warn(messageOf(error));
  }
}

/** In a moment, while no job can take one. */
async function moveAway(
  host: Host,
  store: string,
  spare: readonly EvictionCandidate[],
): Promise<void> {
  await whileReserving(host, async () => {
    const inUse = foldersInUse(await listLeases(host, store));
    for (const { path } of spare) {
      if (inUse.has(path) || await host.files.lstat(path) === null) continue;
      const root = join(
        store,
        path.startsWith(join(store, CACHES.name)) ? CACHES.name : BUILDS.name,
      );
      await host.files.rename(path, join(root, LEAVING + crypto.randomUUID() + basename(path)));
    }
  });
}

async function listFolders(host: Host, store: string): Promise<Folder[]> {
  const paths: string[] = [];
  for (const { name, depth } of [CACHES, BUILDS]) {
    paths.push(...await below(host, join(store, name), depth));
  }
  const bytes = await bytesOf(host, paths);
  const folders: Folder[] = [];
  for (const path of paths) {
    const used = (await host.files.lstat(path))?.modified?.getTime();
    if (used !== undefined) folders.push({ path, used, bytes: bytes.get(path) ?? 0 });
  }
  return folders;
}

/** All folders so many steps below one. */
async function below(host: Host, folder: string, depth: number): Promise<string[]> {
  if (depth === 0) return [folder];
  const paths: string[] = [];
  for (const entry of await host.files.list(folder)) {
    if (!entry.startsWith(LEAVING)) {
      paths.push(...await below(host, join(folder, entry), depth - 1));
    }
  }
  return paths;
}

async function bytesOf(host: Host, paths: readonly string[]): Promise<Map<string, number>> {
  if (paths.length === 0) return new Map();
  const { stdout } = await host.processes.capture(
    ["du", "--summarize", "--block-size=1", "--null", "--files0-from=-"],
    { stdin: paths.map((path) => `${path}\0`).join("") },
  );
  return new Map(
    stdout.split("\0").map((line): [string, number] => {
      const [bytes = "", path = ""] = line.split("\t");
      return [path, Number(bytes)];
    }),
  );
}
