/** Removes shifted layers that nobody needs any more. */

import { join } from "@std/path/posix";
import { messageOf } from "../../../failure.ts";
import type { Host } from "../../../host/host.ts";
import { removeStrangersTree } from "../../../linux/untrusted_tree.ts";
import { listLeases } from "../../record/lease.ts";
import { whileReserving } from "../../record/lock.ts";
import { identifyTree, shiftedLayersFolder, REMOVED_PREFIX, shiftedLayerLock, UNFINISHED_PREFIX, treeKeyOf, TRIAL_PREFIX } from "./layer.ts";

/** All trees of a store, one after the other: one that moves meanwhile is told at its new place, too. */
export type ListTrees = () => AsyncIterable<string>;

/** Is told what nobody needs, and why; false keeps it. */
export type ConfirmRemoval = (path: string, why: string) => boolean;

/**
 * Removes the layers of trees that are gone, but for those that a machine has; and what killed processes left.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @param trees What there is.
 * @param isToGo Decides of each.
 */
export async function removeUnusedShiftedLayers(
  host: Host,
  store: string,
  trees: ListTrees,
  isToGo: ConfirmRemoval = () => true,
): Promise<void> {
  const folder = shiftedLayersFolder(store);
  if ((await host.files.list(folder)).length === 0) return;
  const leaving: string[] = [];
  // While no machine comes to be, what may go is moved, in a moment; it is removed afterwards.
  await whileReserving(host, async () => {
    const needed = await treeKeysInUse(host, store, trees);
    for (const entry of await host.files.list(folder)) {
      const path = join(folder, entry);
      if (needed.has(entry)) leaving.push(...await moveUnfinishedAside(host, folder, entry, isToGo));
      else if (isToGo(path, reasonOf(entry))) leaving.push(await moveAside(host, folder, path));
    }
  });
  for (const path of leaving) {
    // One that does not go keeps no other from going.
    await removeStrangersTree(host, path).catch((error) => host.log.warn(messageOf(error)));
  }
}

/**
 * Removes the layers of a tree that is changed in place, though it counts as one that never is. What a machine
 * has stays.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @param tree The tree.
 */
export async function removeShiftedLayersOf(host: Host, store: string, tree: string): Promise<void> {
  const key = await identifyTree(host, tree);
  const folder = shiftedLayersFolder(store);
  if (key === null || await host.files.lstat(join(folder, key)) === null) return;
  const leaving = await whileReserving(host, async () => {
    const leases = await listLeases(host, store);
    const isNeeded = leases.some(({ layer }) => layer !== null && treeKeyOf(layer) === key);
    return isNeeded ? null : await moveAside(host, folder, join(folder, key));
  });
  if (leaving !== null) await removeStrangersTree(host, leaving);
}

function reasonOf(entry: string): string {
  if (entry.startsWith(REMOVED_PREFIX)) return "its removal was killed";
  return entry.startsWith(TRIAL_PREFIX) ? "a trial that was killed" : "its tree is gone";
}

async function treeKeysInUse(host: Host, store: string, trees: ListTrees): Promise<Set<string>> {
  const needed = new Set<string>();
  for (const { layer } of await listLeases(host, store)) {
    if (layer !== null) needed.add(treeKeyOf(layer));
  }
  for await (const tree of trees()) {
    const key = await identifyTree(host, tree);
    if (key !== null) needed.add(key);
  }
  return needed;
}

/** Takes out what killed makings left of layers that are needed: who makes one holds its lock. */
async function moveUnfinishedAside(
  host: Host,
  folder: string,
  key: string,
  isToGo: ConfirmRemoval,
): Promise<string[]> {
  const leaving: string[] = [];
  for (const entry of await host.files.list(join(folder, key))) {
    const ids = entry.match(UNFINISHED_NAME)?.[1];
    if (ids === undefined) continue;
    const lock = await host.files.lock(shiftedLayerLock(join(folder, key, ids)));
    if (lock === null) continue;
    const path = join(folder, key, entry);
    if (isToGo(path, "its making was killed")) leaving.push(await moveAside(host, folder, path));
    await lock.remove();
  }
  return leaving;
}

const UNFINISHED_NAME = new RegExp(`^\\${UNFINISHED_PREFIX}(\\d+)-`);

async function moveAside(host: Host, folder: string, path: string): Promise<string> {
  const leaving = join(folder, REMOVED_PREFIX + crypto.randomUUID());
  await host.files.rename(path, leaving);
  return leaving;
}
