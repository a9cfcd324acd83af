/** Where chroots, and what belongs to them, are in the store. */

import { join } from "@std/path/posix";
import { type ChrootName, isChrootName } from "./name.ts";

/** Places of one chroot. */
export interface ChrootPlaces {
  /** The chroot itself: a directory, or a symlink to one. */
  readonly path: string;
  /** What is known of its making. */
  readonly record: string;
  /** Held by whoever makes, changes or removes it. */
  readonly lock: string;
  /** A folder that holds a tree in the making, and is swept when nobody holds the lock. */
  readonly making: string;
  /** The tree in there. */
  readonly tree: string;
  /** Temporary files of the tools that make it. */
  readonly scratch: string;
}

/**
 * The places of a chroot.
 *
 * @param store The store's folder.
 * @param name The chroot.
 * @returns Absolute paths.
 */
export function chrootPlaces(store: string, name: ChrootName): ChrootPlaces {
  const making = join(makingFolder(store), name);
  return {
    path: join(store, name),
    record: join(recordFolder(store), `${name}.json`),
    lock: join(recordFolder(store), `${name}.lock`),
    making,
    tree: join(making, "root"),
    scratch: join(making, "tmp"),
  };
}

/**
 * Where records and locks are.
 *
 * @param store The store's folder.
 * @returns An absolute path.
 */
export function recordFolder(store: string): string {
  return join(store, ".chroots");
}

/**
 * Where trees are made.
 *
 * @param store The store's folder.
 * @returns An absolute path.
 */
export function makingFolder(store: string): string {
  return join(store, ".making");
}

/**
 * Where trees wait for their removal.
 *
 * @param store The store's folder.
 * @returns An absolute path.
 */
export function leavingFolder(store: string): string {
  return join(store, ".leaving");
}

/** A tree that leaves, as its folder's name tells. */
export interface Leaving {
  readonly name: ChrootName;
  /** When it stopped to be the chroot, in milliseconds since 1970. */
  readonly since: number;
  /** Whether it leaves for a new one, which may not be in its place yet. */
  readonly replaced: boolean;
}

/**
 * How the folder of a leaving tree is called: no chroot's name has a `~`.
 *
 * @param leaving The tree.
 * @returns One component of a path.
 */
export function leavingEntry({ name, since, replaced }: Leaving): string {
  return `${name}~${since}${replaced ? "~replaced" : ""}`;
}

/**
 * What a folder's name tells.
 *
 * @param entry One component of a path.
 * @returns Null where it is none of ours.
 */
export function parseLeavingEntry(entry: string): Leaving | null {
  const [, name, since, replaced] = entry.match(/^([^~]+)~(\d+)(~replaced)?$/) ?? [];
  if (name === undefined || !isChrootName(name)) return null;
  return { name, since: Number(since), replaced: replaced !== undefined };
}
