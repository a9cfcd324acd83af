/** Removes shifted layers that nobody needs any more. */

import { join } from "@std/path/posix";
import { messageOf } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { removeStrangersTree } from "../../host/strangers.ts";
import { listLeases } from "../lease.ts";
import { whileStoreLocked } from "../lock.ts";
import { keyOf, layersFolder, LEAVING, lockOf, MAKING, treeOf, TRIAL } from "./layer.ts";

/** All trees of a store, one after the other: one that moves meanwhile is told at its new place, too. */
export type Trees = () => AsyncIterable<string>;

/**
 * Removes the layers of trees that are gone, but for those that a machine has; and what killed processes left.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @param trees What there is.
 * @param isToGo Is told the layers of a tree, and why they may go; false keeps them.
 */
export async function sweepLayers(
  host: Host,
  store: string,
  trees: Trees,
  isToGo: (path: string, why: string) => boolean = () => true,
): Promise<void> {
  const folder = layersFolder(store);
  if ((await host.files.list(folder)).length === 0) return;
  // While no machine comes to be. What is moved here, in a moment, is removed afterwards.
  await whileStoreLocked(host, store, async () => {
    const needed = await neededTrees(host, store, trees);
    for (const entry of await host.files.list(folder)) {
      const path = join(folder, entry);
      if (needed.has(entry)) await sweepHalfMade(host, folder, entry, isToGo);
      else if (entry.startsWith(TRIAL) || (!entry.startsWith(".") && isToGo(path, NO_TREE))) {
        await leave(host, folder, path);
      }
    }
  });
  for (const entry of await host.files.list(folder)) {
    if (entry.startsWith(LEAVING)) await removeOne(host, join(folder, entry));
  }
}

const NO_TREE = "owners of the files of a tree that is gone";

async function neededTrees(host: Host, store: string, trees: Trees): Promise<Set<string>> {
  const needed = new Set<string>();
  for (const { layer } of await listLeases(host, store)) {
    if (layer !== null) needed.add(treeOf(layer));
  }
  for await (const tree of trees()) {
    const stat = await host.files.stat(tree);
    const key = stat === null ? null : keyOf(stat);
    if (key !== null) needed.add(key);
  }
  return needed;
}

/** Who makes a layer holds its lock. */
async function sweepHalfMade(
  host: Host,
  folder: string,
  key: string,
  isToGo: (path: string, why: string) => boolean,
): Promise<void> {
  for (const entry of await host.files.list(join(folder, key))) {
    const ids = entry.match(HALF_MADE)?.[1];
    if (ids === undefined) continue;
    const path = join(folder, key, entry);
    const lock = await host.files.lock(lockOf(join(folder, key, ids)));
    if (lock === null) continue;
    if (isToGo(path, "its making was killed")) await leave(host, folder, path);
    await lock.remove();
  }
}

const HALF_MADE = new RegExp(`^\\${MAKING}(\\d+)-`);

async function leave(host: Host, folder: string, path: string): Promise<void> {
  await host.files.rename(path, join(folder, LEAVING + crypto.randomUUID()));
}

/** One that does not go keeps no other from going. */
async function removeOne(host: Host, path: string): Promise<void> {
  await removeStrangersTree(host, path).catch((error) => host.log.warn(messageOf(error)));
}
