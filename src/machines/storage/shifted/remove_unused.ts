/** Removes shifted layers that are no longer used, and what killed processes left of them. */

import { join } from "@std/path/posix";
import { messageOf } from "../../../failure.ts";
import type { Host } from "../../../host/host.ts";
import { removeUntrustedTree } from "../../../linux/untrusted_tree.ts";
import { listCommonLeases } from "../../record/lease.ts";
import { unlessProbing, whileReserving } from "../../record/lock.ts";
import {
  identifyTree,
  PROBE_PREFIX,
  REMOVED_PREFIX,
  shiftedLayerLock,
  shiftedLayersFolder,
  treeKeyOf,
  UNFINISHED_PREFIX,
} from "./layer.ts";

/** Lists all trees of a store. A tree that is moved during the listing is listed at its new path as well. */
export type ListTrees = () => AsyncIterable<string>;

/** Called before each removal with the path and the reason; return false to keep it. */
export type ConfirmRemoval = (path: string, why: string) => boolean;

/** Removes the shifted layers whose tree is gone and that no lease names, unfinished layers, and folders of killed host probes. */
export async function removeUnusedShiftedLayers(
  host: Host,
  store: string,
  trees: ListTrees,
  confirm: ConfirmRemoval = () => true,
): Promise<void> {
  const folder = shiftedLayersFolder(store);
  if ((await host.files.list(folder)).length === 0) return;
  const moved: string[] = [];
  // Layers are only moved while no machine can be reserved, which is quick; they are removed afterwards.
  await whileReserving(host, async () => {
    const keysInUse = await treeKeysInUse(host, store, trees);
    const take = async (entry: string) => {
      const path = join(folder, entry);
      if (confirm(path, reasonOf(entry))) moved.push(await moveAside(host, folder, path));
    };
    for (const entry of await host.files.list(folder)) {
      if (keysInUse.has(entry)) {
        moved.push(...await moveUnfinishedAside(host, folder, entry, confirm));
      } else if (entry.startsWith(PROBE_PREFIX)) await unlessProbing(host, () => take(entry));
      else await take(entry);
    }
  });
  for (const path of moved) {
    // A layer that cannot be removed does not prevent the removal of others.
    await removeUntrustedTree(host, path).catch((error) => host.log.warn(messageOf(error)));
  }
}

/**
 * Removes the shifted layers of a generation that is changed in place after all, unless a lease names one of them.
 */
export async function removeShiftedLayersOf(
  host: Host,
  store: string,
  tree: string,
): Promise<void> {
  const key = await identifyTree(host, tree);
  const folder = shiftedLayersFolder(store);
  if (key === null || await host.files.lstat(join(folder, key)) === null) return;
  const moved = await whileReserving(host, async () => {
    const leases = await listCommonLeases(host, store);
    const isNeeded = leases.some(({ layer }) => layer !== null && treeKeyOf(layer) === key);
    return isNeeded ? null : await moveAside(host, folder, join(folder, key));
  });
  if (moved !== null) await removeUntrustedTree(host, moved);
}

function reasonOf(entry: string): string {
  if (entry.startsWith(REMOVED_PREFIX)) return "its removal was interrupted";
  return entry.startsWith(PROBE_PREFIX)
    ? "a probe of the host that was killed"
    : "its generation was removed";
}

async function treeKeysInUse(host: Host, store: string, trees: ListTrees): Promise<Set<string>> {
  const keysInUse = new Set<string>();
  for (const { layer } of await listCommonLeases(host, store)) {
    if (layer !== null) keysInUse.add(treeKeyOf(layer));
  }
  for await (const tree of trees()) {
    const key = await identifyTree(host, tree);
    if (key !== null) keysInUse.add(key);
  }
  return keysInUse;
}

/** Moves the unfinished layers of a tree aside, unless a process that makes them holds the lock. */
async function moveUnfinishedAside(
  host: Host,
  folder: string,
  key: string,
  confirm: ConfirmRemoval,
): Promise<string[]> {
  const moved: string[] = [];
  for (const entry of await host.files.list(join(folder, key))) {
    const firstId = entry.match(UNFINISHED_NAME)?.[1];
    if (firstId === undefined) continue;
    const lock = await host.files.lock(shiftedLayerLock(join(folder, key, firstId)));
    if (lock === null) continue;
    const path = join(folder, key, entry);
    if (confirm(path, "its creation was interrupted")) {
      moved.push(await moveAside(host, folder, path));
    }
    await lock.remove();
  }
  return moved;
}

const UNFINISHED_NAME = new RegExp(`^\\${UNFINISHED_PREFIX}(\\d+)-`);

async function moveAside(host: Host, folder: string, path: string): Promise<string> {
  const aside = join(folder, REMOVED_PREFIX + crypto.randomUUID());
  await host.files.rename(path, aside);
  return aside;
}
