/**
 * Shifted layers: where a host cannot show a chroot's files with other owners, an overlay that holds nothing
 * but those owners lies between the chroot and a machine's writes. There is one for each tree and range of ids,
 * made once and kept as long as the tree is there.
 */

import { basename, dirname, join } from "@std/path/posix";
import type { Host } from "../../../host/host.ts";
import { subvolumeId } from "../../../linux/btrfs.ts";

/**
 * Where the layers of a store are.
 *
 * @param store The store's folder.
 * @returns An absolute path.
 */
export function shiftedLayersFolder(store: string): string {
  return join(store, ".shifted");
}

/**
 * What a tree is called among layers: it has that name wherever it is moved to, and no other tree has it.
 *
 * @param host The outside.
 * @param tree The tree; links are followed.
 * @returns Null where there is none, or nothing that tells it from all others.
 */
export async function identifyTree(host: Host, tree: string): Promise<string | null> {
  const id = await subvolumeId(host, tree);
  if (id !== undefined) return id;
  const stat = await host.files.stat(tree);
  return stat === null || stat.born === null ? null : `${stat.ino}-${stat.born.getTime()}`;
}

/**
 * The layer of a tree for a range of ids, whether it is made or not.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @param tree The chroot's tree.
 * @param ids The first id of the range.
 * @returns Its path; null where the tree cannot have one.
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

/**
 * What of a layer is mounted over its tree.
 *
 * @param layer Its path.
 * @returns An absolute path.
 */
export function metadataCopiesIn(layer: string): string {
  return join(layer, "upper");
}

/**
 * The first id of a layer.
 *
 * @param layer Its path.
 * @returns The id.
 */
export function firstIdOf(layer: string): number {
  return Number(basename(layer));
}

/**
 * The name of the tree that a layer is of.
 *
 * @param layer Its path.
 * @returns As {@linkcode identifyTree} tells it.
 */
export function treeKeyOf(layer: string): string {
  return basename(dirname(layer));
}

/** Options of all overlays with a layer: files with other owners hold no content, which is below by its path. */
export const METACOPY = "metacopy=on,redirect_dir=on";

/** Layers in the making begin so: the first id follows, and what no other making has. */
export const UNFINISHED_PREFIX = ".making-";

/** Layers on their way out begin so. */
export const REMOVED_PREFIX = ".leaving-";

/** A trial begins so. */
export const TRIAL_PREFIX = ".trial-";

/**
 * Held by whoever makes a layer.
 *
 * @param layer Its path.
 * @returns An absolute path.
 */
export function shiftedLayerLock(layer: string): string {
  return `${layer}.lock`;
}
