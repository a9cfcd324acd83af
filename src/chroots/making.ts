/** Where trees are made, swapped and given up, so that an interrupt at any instant leaves nothing half done. */

import { join } from "@std/path/posix";
import { messageOf, refused } from "../failure.ts";
import type { Host } from "../host/host.ts";
import { tryLock } from "./lock.ts";
import { type ChrootName, isChrootName } from "./name.ts";
import {
  type ChrootPlaces,
  chrootPlaces,
  type Leaving,
  leavingEntry,
  leavingFolder,
  makingFolder,
  parseLeavingEntry,
} from "./places.ts";
import { mountsIn, removeTree, syncTree } from "./tree.ts";
import { reads, type Users } from "./users.ts";

/**
 * Makes a tree aside and puts it in its place when it is complete; a failure leaves nothing. The
 * caller holds the chroot's lock.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @param name The chroot; an old tree makes way in the last moment.
 * @param users Machines that may still read the old tree: it is kept for them.
 * @param make Makes the tree.
 */
export async function makeAside(
  host: Host,
  store: string,
  name: ChrootName,
  users: Users,
  make: (places: ChrootPlaces) => Promise<void>,
): Promise<void> {
  const places = chrootPlaces(store, name);
  await removeMaking(host, places);
  // Open for apt, which fetches packages as a user of its own.
  for (const folder of [makingFolder(store), places.making, places.scratch]) {
    await host.files.makeDirectory(folder, 0o755);
  }
  try {
    await make(places);
    await syncTree(host, places.tree);
    await putInPlace(host, store, name, users);
  } finally {
    await removeMaking(host, places);
  }
}

async function putInPlace(host: Host, store: string, name: ChrootName, users: Users) {
  const { path, tree } = chrootPlaces(store, name);
  if (await host.files.lstat(path) === null) return await host.files.rename(tree, path);
  const leaving = { name, since: host.clock.now(), replaced: true };
  const old = await moveAway(host, store, leaving);
  await host.files.rename(tree, path); // killed before this line, the next sweep brings the old one back
  await leave(host, store, { ...leaving, replaced: false }, old, users);
}

/** Removes a tree for good, or keeps it as long as machines read it. */
async function leave(host: Host, store: string, leaving: Leaving, from: string, users: Users) {
  const path = join(leavingFolder(store), leavingEntry(leaving));
  if (from !== path) await host.files.rename(from, path);
  const readers = (await users()).filter((user) =>
    reads(user, leaving.name) && !(Date.parse(user.created) > leaving.since)
  );
  if (readers.length === 0) return await removeTree(host, path);
  const machines = readers.map((user) => user.machine).join(", ");
  host.log.step(`The old tree of ${leaving.name} is kept for ${machines}`);
}

/**
 * Takes a chroot out of its place and removes it. The caller holds its lock, and knows that nobody
 * uses it.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @param name The chroot.
 * @throws {Failure} where it cannot be moved.
 */
export async function removeFromPlace(host: Host, store: string, name: ChrootName): Promise<void> {
  const path = await moveAway(host, store, { name, since: host.clock.now(), replaced: false });
  await removeTree(host, path);
}

async function moveAway(host: Host, store: string, leaving: Leaving): Promise<string> {
  const from = chrootPlaces(store, leaving.name).path;
  const to = join(leavingFolder(store), leavingEntry(leaving));
  await host.files.makeDirectory(leavingFolder(store));
  await host.files.rename(from, to);
  return to;
}

/**
 * Refuses what cannot be replaced or removed as a whole.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @param name The chroot.
 * @param verb What cannot be done to it, for the message.
 * @throws {Failure} for a symlink or a mount point.
 */
export async function refuseForeign(
  host: Host,
  store: string,
  name: ChrootName,
  verb: string,
): Promise<void> {
  const { path } = chrootPlaces(store, name);
  if ((await host.files.lstat(path))?.kind === "symlink") {
    const target = await host.files.real(path);
    throw refused(
      `Cannot ${verb} chroot ${name}: it is a symlink to ${target}`,
      `Its tree is yours: change that, or remove ${path}`,
    );
  }
  const [mount] = await mountsIn(host, path);
  if (mount === undefined) return;
  throw refused(
    `Cannot ${verb} chroot ${name}: something is mounted at ${mount}`,
    `Undo it: umount ${mount}`,
  );
}

/**
 * Removes what killed processes left, and brings back what they had taken away. Never touches a
 * chroot that somebody works on.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @param users Machines that may still read a tree that leaves.
 */
export async function sweep(host: Host, store: string, users: Users): Promise<void> {
  for (const name of await host.files.list(makingFolder(store))) {
    if (!isChrootName(name)) continue;
    await sweepOne(host, store, name, () => removeMaking(host, chrootPlaces(store, name)));
  }
  for (const entry of await host.files.list(leavingFolder(store))) {
    const leaving = parseLeavingEntry(entry);
    if (leaving === null) continue;
    const path = join(leavingFolder(store), entry);
    await sweepOne(
      host,
      store,
      leaving.name,
      () => sweepLeaving(host, store, leaving, path, users),
    );
  }
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

async function sweepLeaving(
  host: Host,
  store: string,
  leaving: Leaving,
  from: string,
  users: Users,
): Promise<void> {
  const { path } = chrootPlaces(store, leaving.name);
  if (leaving.replaced && await host.files.lstat(path) === null) {
    host.log.info(`Chroot ${leaving.name} is back: its replacement was interrupted`);
    return await host.files.rename(from, path);
  }
  await leave(host, store, { ...leaving, replaced: false }, from, users);
}

async function removeMaking(host: Host, { making, tree }: ChrootPlaces): Promise<void> {
  await removeTree(host, tree); // perhaps a subvolume, which no folder above can take along
  await removeTree(host, making);
}
