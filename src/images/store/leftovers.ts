/** Removes what killed processes left of images. */

import { join } from "@std/path/posix";
import type { Host } from "../../host/host.ts";
import { removeUntrustedTree } from "../../linux/untrusted_tree.ts";
import { isBeingPulled } from "./copy.ts";
import {
  type ImageId,
  imagePaths,
  isImageId,
  namePath,
  PASSWORD_FOLDER,
  pullPaths,
} from "./paths.ts";
import { listIds, listNames } from "./record.ts";
import { finishImageRemovals } from "./remove.ts";
import { deleteUnrecorded } from "./repair.ts";
import { whileLibraryLocked } from "./store_lock.ts";

/** Milliseconds after which a file with a password is a leftover: its reader starts at once. */
const PASSWORD_AGE = 60_000;

/**
 * Removes leftovers of pulls and removals that no process works on. Layers without a record stay where they may belong to
 * an image that is being pulled.
 *
 * @throws {Failure} of the host where something stays.
 */
export async function removeImageLeftovers(host: Host, store: string): Promise<void> {
  await removePasswords(host);
  const { folder, pulls } = imagePaths(store);
  if (await host.files.lstat(folder) === null) return;
  await finishImageRemovals(host, store);
  await whileLibraryLocked(host, store, async () => {
    // A pull that begins now waits for this lock before it copies a layer: beginPull().
    const ids = (await host.files.list(pulls)).filter(isImageId);
    const idle: ImageId[] = [];
    const active: ImageId[] = [];
    for (const id of ids) {
      (await isBeingPulled(host, pullPaths(store, id)) ? active : idle).push(id);
    }
    await deleteUnrecorded(host, store, active);
    for (const id of idle) await removePull(host, store, id);
    await removeUnrecordedFiles(host, store, new Set(ids));
  });
}

async function removePasswords(host: Host): Promise<void> {
  for (const entry of await host.files.list(PASSWORD_FOLDER)) {
    const path = join(PASSWORD_FOLDER, entry);
    const modified = (await host.files.lstat(path))?.modified?.getTime() ?? Infinity;
    const isOld = host.clock.now() - modified > PASSWORD_AGE;
    if (entry.startsWith("auth-") && isOld) await host.files.remove(path);
  }
}

async function removePull(host: Host, store: string, id: ImageId): Promise<void> {
  const { folder, lock: path, boot, log, scratch } = pullPaths(store, id);
  const lock = await host.files.lock(path);
  if (lock === null) return; // it began just now
  for (const one of [boot, log]) await host.files.remove(one);
  for (const one of [scratch, join(folder, "view"), join(folder, "facts")]) {
    await host.files.removeTree(one);
  }
  await lock.remove();
  await host.files.remove(folder).catch(() => {}); // a process just came
}

/** Removes files of images that have no record, and that no process pulls. */
async function removeUnrecordedFiles(
  host: Host,
  store: string,
  pulled: ReadonlySet<ImageId>,
): Promise<void> {
  const recorded = new Set<string>(await listIds(host, store));
  const { facts, trees } = imagePaths(store);
  for (const folder of [facts, trees]) {
    for (const id of (await host.files.list(folder)).filter(isImageId)) {
      if (!recorded.has(id) && !pulled.has(id)) await removeUntrustedTree(host, join(folder, id));
    }
  }
  for (const { id, name, platform } of await listNames(host, store)) {
    if (!recorded.has(id)) await host.files.remove(await namePath(store, name, platform));
  }
}
