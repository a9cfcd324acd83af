/** Brings a store back to order after whatever was killed. */

import { join } from "@std/path/posix";
import { messageOf } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { sweepWorkshops } from "../../linux/nspawn_leftovers.ts";
import { currentNumber, generationNumbers } from "./record.ts";
import { switchTo } from "./current.ts";
import { tryLock } from "./lock.ts";
import { type ChrootName, isChrootName } from "../../config/chroot_name.ts";
import {
  buildsFolder,
  chrootOfRemoval,
  chrootPlaces,
  generationsFolder,
  removalsFolder,
} from "./places.ts";
import { removeTrees } from "../../linux/tree.ts";

/**
 * Removes what killed processes left, and brings chroots back that lost their place. Never touches a
 * chroot that somebody works on.
 *
 * @param host The outside.
 * @param store The store's folder.
 */
export async function recoverStore(host: Host, store: string): Promise<void> {
  await sweepWorkshops(host);
  for (const name of await host.files.list(buildsFolder(store))) {
    if (!isChrootName(name)) continue;
    await sweepOne(host, store, name, () => removeTrees(host, chrootPlaces(store, name).build));
  }
  for (const entry of await host.files.list(removalsFolder(store))) {
    const name = chrootOfRemoval(entry);
    if (name === null) continue;
    const path = join(removalsFolder(store), entry);
    await sweepOne(host, store, name, () => removeTrees(host, path));
  }
  for (const name of await misplaced(host, store)) {
    await sweepOne(host, store, name, () => putBack(host, store, name));
  }
}

/** Chroots whose generations nothing leads to, and links that lead to nothing. */
async function misplaced(host: Host, store: string): Promise<ChrootName[]> {
  const entries = [
    ...await host.files.list(generationsFolder(store)),
    ...await host.files.list(store),
  ];
  const found: ChrootName[] = [];
  for (const name of new Set(entries.filter(isChrootName))) {
    if (await isMisplaced(host, store, name)) found.push(name);
  }
  return found;
}

async function isMisplaced(host: Host, store: string, name: ChrootName): Promise<boolean> {
  const { path } = chrootPlaces(store, name);
  if (await host.files.lstat(path) === null) {
    return (await generationNumbers(host, store, name)).length > 0;
  }
  return await currentNumber(host, store, name) !== null && await host.files.stat(path) === null;
}

async function putBack(host: Host, store: string, name: ChrootName): Promise<void> {
  if (!await isMisplaced(host, store, name)) return; // that was a glance, before the lock
  const newest = (await generationNumbers(host, store, name)).at(-1);
  if (newest === undefined) return await host.files.remove(chrootPlaces(store, name).path);
  host.log.info(`Chroot ${name} is back: what was changing it was interrupted`);
  await switchTo(host, store, name, newest);
}

async function sweepOne(host: Host, store: string, name: ChrootName, act: () => Promise<void>) {
  const lock = await tryLock(host, store, name);
  if (lock === null) return;
  try {
    await act();
  } catch (error) {
    host.log.warn(messageOf(error)); // no reason to give up what was really asked for
  } finally {
    lock.release();
  }
}
