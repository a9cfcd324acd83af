/** Repairs a store after processes that changed chroots were killed. */

import { join } from "@std/path/posix";
import { type ChrootName, isChrootName } from "../../config/chroot_name.ts";
import { messageOf } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { removeTrees } from "../../linux/tree.ts";
import { switchTo } from "./publish.ts";
import { tryLock } from "./lock.ts";
import {
  buildsFolder,
  chrootOfRemoval,
  chrootPaths,
  generationsFolder,
  removalsFolder,
} from "./paths.ts";
import { currentNumber, generationNumbers } from "./record.ts";

/**
 * Finishes what killed processes began: removes half-made builds and half-removed trees, and
 * restores the symlinks of chroots. Chroots that a process works on are left alone. Machines of killed builds have been
 * ended before: they are overdue.
 */
export async function recoverStore(host: Host, store: string): Promise<void> {
  for (const name of await host.files.list(buildsFolder(store))) {
    if (!isChrootName(name)) continue;
    const { build } = chrootPaths(store, name);
    await unlessChrootLocked(host, store, name, () => removeTrees(host, build));
  }
  for (const entry of await host.files.list(removalsFolder(store))) {
    const name = chrootOfRemoval(entry);
    if (name === null) continue;
    const path = join(removalsFolder(store), entry);
    await unlessChrootLocked(host, store, name, () => removeTrees(host, path));
  }
  for (const name of await chrootsWithoutLink(host, store)) {
    await unlessChrootLocked(host, store, name, () => restoreLink(host, store, name));
  }
}

async function chrootsWithoutLink(host: Host, store: string): Promise<ChrootName[]> {
  const entries = [
    ...await host.files.list(generationsFolder(store)),
    ...await host.files.list(store),
  ];
  const found: ChrootName[] = [];
  for (const name of new Set(entries.filter(isChrootName))) {
    if (await lacksLink(host, store, name)) found.push(name);
  }
  return found;
}

/**
 * Tells whether a chroot has generations and no symlink, or a symlink to a generation that does not
 * exist.
 */
async function lacksLink(host: Host, store: string, name: ChrootName): Promise<boolean> {
  const { path } = chrootPaths(store, name);
  if (await host.files.lstat(path) === null) {
    return (await generationNumbers(host, store, name)).length > 0;
  }
  return await currentNumber(host, store, name) !== null && await host.files.stat(path) === null;
}

/**
 * Makes the newest generation of a chroot current where its symlink was lost, or removes a symlink
 * to nothing. The caller holds the chroot's lock.
 */
export async function restoreLink(host: Host, store: string, name: ChrootName): Promise<void> {
  if (!await lacksLink(host, store, name)) return;
  const newest = (await generationNumbers(host, store, name)).at(-1);
  if (newest === undefined) return await host.files.remove(chrootPaths(store, name).path);
  host.log.info(`Chroot ${name} is restored: the process that changed it was killed`);
  await switchTo(host, store, name, newest);
}

/**
 * Runs `act` under a chroot's lock; a failure is a warning, since the command has other work to do.
 */
async function unlessChrootLocked(
  host: Host,
  store: string,
  name: ChrootName,
  act: () => Promise<void>,
): Promise<void> {
  const lock = await tryLock(host, store, name);
  if (lock === null) return;
  try {
    await act();
  } catch (error) {
    host.log.warn(messageOf(error));
  } finally {
    lock.release();
  }
}
