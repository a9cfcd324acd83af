/**
 * Paths of shifted layers. A shifted layer is an overlay with metadata-only copies of a chroot's files whose owners
 * are shifted to a machine's range of ids. It lies between the chroot and the machine's writes on hosts that cannot
 * map owners by mount(8). There is one per tree and range of ids, kept as long as the tree exists.
 */

import { basename, dirname, join } from "@std/path/posix";
import type { Host } from "../../../host/host.ts";
import { subvolumeId } from "../../../linux/btrfs.ts";

/** Returns the folder that holds the shifted layers of a store. */
export function shiftedLayersFolder(store: string): string {
  return join(store, ".shifted");
}

/**
 * Returns a key of a tree, which it keeps when it is moved, and which no other tree ever gets. Follows symlinks.
 *
 * @returns Null where the tree does not exist, or its file system records no time of birth: without that, a later
 *   tree could have the same key.
 */
export async function identifyTree(host: Host, tree: string): Promise<string | null> {
  const id = await subvolumeId(host, tree);
  if (id !== undefined) return id;
  const stat = await host.files.stat(tree);
  return stat === null || stat.born === null ? null : `${stat.ino}-${stat.born.getTime()}`;
}

/**
 * Returns the path of a tree's shifted layer for a range of ids, whether it exists or not; null where the tree
 * cannot be identified.
 *
 * @param ids The first id of the range.
 */
export async function shiftedLayerPath(
  host: Host,
  store: string,
  tree: string,
  ids: number,
): Promise<string | null> {
  const key = await identifyTree(host, tree);
  return key === null ? null : join(shiftedLayersFolder(store), key, `${ids}`);
}

/** Returns the folder of a shifted layer that is mounted over its tree. */
export function metadataCopiesIn(layer: string): string {
  return join(layer, "upper");
}

/** Returns the first id of a shifted layer's range. */
export function firstIdOf(layer: string): number {
  return Number(basename(layer));
}

/** Returns the key of the tree that a shifted layer belongs to: see {@linkcode identifyTree}. */
export function treeKeyOf(layer: string): string {
  return basename(dirname(layer));
}

/** Mount options of every overlay with a shifted layer: a metadata-only copy gets its content from the tree below. */
export const METACOPY = "metacopy=on,redirect_dir=on";

/** Prefix of unfinished layers: `.making-<first id>-<uuid>`, beside the finished ones of their tree. */
export const UNFINISHED_PREFIX = ".making-";

/** Prefix of layers that are being removed: `.leaving-<uuid>`. */
export const REMOVED_PREFIX = ".leaving-";

/** Prefix of the folders of host probes; its value is that of earlier releases, whose leftovers are removed too. */
export const PROBE_PREFIX = ".trial-";

/** Returns the lock that is held while a shifted layer is made. */
export function shiftedLayerLock(layer: string): string {
  return `${layer}.lock`;
}
