/** Removes shifted layers that nobody needs any more. */

import { join } from "@std/path/posix";
import { messageOf } from "../../../failure.ts";
import type { Host } from "../../../host/host.ts";
import { removeStrangersTree } from "../../../linux/untrusted_tree.ts";
import { listLeases } from "../../record/lease.ts";
import { whileTaking } from "../../record/lock.ts";
import { keyOf, layersFolder, LEAVING, lockOf, MAKING, treeOf, TRIAL } from "./layer.ts";

/** All trees of a store, one after the other: one that moves meanwhile is told at its new place, too. */
export type Trees = () => AsyncIterable<string>;

/** Is told what nobody needs, and why; false keeps it. */
export type IsToGo = (path: string, why: string) => boolean;

/**
 * Removes the layers of trees that are gone, but for those that a machine has; and what killed processes left.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @param trees What there is.
 * @param isToGo Decides of each.
 */
export async function sweepLayers(
  host: Host,
  store: string,
  trees: Trees,
  isToGo: IsToGo = () => true,
): Promise<void> {
  const folder = layersFolder(store);
  if ((await host.files.list(folder)).length === 0) return;
  const leaving: string[] = [];
  // While no machine comes to be, what may go is moved, in a moment; it is removed afterwards.
  await whileTaking(host, async () => {
    const needed = await neededTrees(host, store, trees);
    for (const entry of await host.files.list(folder)) {
      const path = join(folder, entry);
      if (needed.has(entry)) leaving.push(...await takeHalfMade(host, folder, entry, isToGo));
      else if (isToGo(path, reasonOf(entry))) leaving.push(await takeOut(host, folder, path));
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
export async function dropLayers(host: Host, store: string, tree: string): Promise<void> {
  const key = await keyOf(host, tree);
  const folder = layersFolder(store);
  if (key === null || await host.files.lstat(join(folder, key)) === null) return;
  const leaving = await whileTaking(host, async () => {
    const leases = await listLeases(host, store);
    const isNeeded = leases.some(({ layer }) => layer !== null && treeOf(layer) === key);
    return isNeeded ? null : await takeOut(host, folder, join(folder, key));
  });
  if (leaving !== null) await removeStrangersTree(host, leaving);
}

function reasonOf(entry: string): string {
  if (entry.startsWith(LEAVING)) return "its removal was killed";
  return entry.startsWith(TRIAL) ? "a trial that was killed" : "its tree is gone";
}

async function neededTrees(host: Host, store: string, trees: Trees): Promise<Set<string>> {
  const needed = new Set<string>();
  for (const { layer } of await listLeases(host, store)) {
    if (layer !== null) needed.add(treeOf(layer));
  }
  for await (const tree of trees()) {
    const key = await keyOf(host, tree);
    if (key !== null) needed.add(key);
  }
  return needed;
}

/** Takes out what killed makings left of layers that are needed: who makes one holds its lock. */
async function takeHalfMade(
  host: Host,
  folder: string,
  key: string,
  isToGo: IsToGo,
): Promise<string[]> {
  const leaving: string[] = [];
  for (const entry of await host.files.list(join(folder, key))) {
    const ids = entry.match(HALF_MADE)?.[1];
    if (ids === undefined) continue;
    const lock = await host.files.lock(lockOf(join(folder, key, ids)));
    if (lock === null) continue;
    const path = join(folder, key, entry);
    if (isToGo(path, "its making was killed")) leaving.push(await takeOut(host, folder, path));
    await lock.remove();
  }
  return leaving;
}

const HALF_MADE = new RegExp(`^\\${MAKING}(\\d+)-`);

async function takeOut(host: Host, folder: string, path: string): Promise<string> {
  const leaving = join(folder, LEAVING + crypto.randomUUID());
  await host.files.rename(path, leaving);
  return leaving;
}
