/** Removes pulled images that no machine uses. */

import { join } from "@std/path/posix";
import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { removeUntrustedTree } from "../../linux/untrusted_tree.ts";
import { leasesOfHost } from "../../machines/record/lease.ts";
import { whileReserving } from "../../machines/record/lock.ts";
import { libraryImages } from "./library.ts";
import { factsPath, type ImageId, imagePaths, isImageId, namePath, recordPath } from "./paths.ts";
import { type ImageRecord, listIds, listNames, recordedHash } from "./record.ts";
import { inLibraryByHash, reasonIn, runSkopeo } from "./skopeo.ts";
import { whileLibraryLocked } from "./store_lock.ts";

/** What became of a removal: the machines that use the image; null where none did, and it is removed. */
export type Users = readonly string[] | null;

/**
 * Removes an image unless a machine uses it.
 *
 * @param interrupt Ends the wait for other processes when aborted.
 * @throws {Failure} of the host where a part of it stays; gc tries again.
 */
export async function removeImage(
  host: Host,
  store: string,
  id: ImageId,
  interrupt?: AbortSignal,
): Promise<Users> {
  // A machine that is planned and has no lease yet: its start finds that the image is gone, and pulls it again.
  const users = await whileReserving(host, async () => {
    const users = await usersOf(host, store, id);
    if (users.length === 0) await moveAside(host, store, id);
    return users;
  });
  if (users.length > 0) return users;
  await finishImageRemovals(host, store, interrupt);
  return null;
}

/** Returns the machines whose lease names an image. */
export async function usersOf(host: Host, store: string, id: ImageId): Promise<string[]> {
  const path = factsPath(await host.files.real(store) ?? store, id);
  const leases = await leasesOfHost(host, store);
  return leases.filter(({ chroot }) => chroot.path === path).map(({ machine }) => machine);
}

/**
 * The facts go first: no machine is reserved without them, and as long as the record is there, no process deletes the
 * layers.
 */
async function moveAside(host: Host, store: string, id: ImageId): Promise<void> {
  const { removals, trees } = imagePaths(store);
  const aside = join(removals, `${id}~${host.clock.now()}`);
  await host.files.makeDirectory(aside);
  await moveIfThere(host, factsPath(store, id), join(aside, "facts"));
  await moveIfThere(host, recordPath(store, id), join(aside, RECORD));
  await moveIfThere(host, join(trees, id), join(aside, "tree"));
  for (const named of await listNames(host, store)) {
    if (named.id !== id) continue;
    await host.files.remove(await namePath(store, named.name, named.platform));
  }
}

const RECORD = "record.json";

async function moveIfThere(host: Host, from: string, to: string): Promise<void> {
  if (await host.files.lstat(from) !== null) await host.files.rename(from, to);
}

/**
 * Removes what was moved aside, also by processes that were killed.
 *
 * @throws {Failure} of the host where something stays.
 */
export async function finishImageRemovals(
  host: Host,
  store: string,
  interrupt?: AbortSignal,
): Promise<void> {
  const { removals } = imagePaths(store);
  if ((await host.files.list(removals)).length === 0) return;
  await whileLibraryLocked(host, store, async () => {
    for (const entry of await host.files.list(removals)) {
      const id = entry.split("~")[0]!;
      if (!isImageId(id)) continue;
      const folder = join(removals, entry);
      if (await host.files.lstat(factsPath(store, id)) === null) {
        await moveIfThere(host, recordPath(store, id), join(folder, RECORD));
      }
      await deleteFromLibrary(host, store, await host.files.read(join(folder, RECORD)));
      await removeUntrustedTree(host, folder);
    }
  }, interrupt);
}

/** Several images may be the same one in the library: those of two lists of manifests that share a manifest. */
async function deleteFromLibrary(host: Host, store: string, text: string | null): Promise<void> {
  const { library } = JSON.parse(text ?? "{}") as Partial<ImageRecord>;
  if (library === null || library === undefined) return;
  if (!(await recordedHashes(host, store)).has(library)) {
    await deleteLibraryImage(host, store, library);
  }
}

/** Returns the images of the library that are recorded, also by another version of the program. */
export async function recordedHashes(host: Host, store: string): Promise<Set<string>> {
  const ids = await listIds(host, store);
  const hashes = await Promise.all(ids.map((id) => recordedHash(host, store, id)));
  return new Set(hashes.filter((hash) => typeof hash === "string"));
}

/**
 * Deletes an image of the library, with those of its layers that no other image has.
 *
 * @throws {Failure} of the host where it stays.
 */
export async function deleteLibraryImage(host: Host, store: string, hash: string): Promise<void> {
  if (!(await libraryImages(host, store)).some(({ id }) => id === hash)) return;
  const { code, stderr } = await runSkopeo(host, ["delete", inLibraryByHash(store, hash)]);
  if (code === 0) return;
  throw hostFailure(`Cannot remove the layers of image ${hash}: ${reasonIn(stderr)}`);
}
