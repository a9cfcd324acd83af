/** Where chroots, and what belongs to them, are in the store. */

import { join } from "@std/path/posix";
import { type ChrootName, isChrootName } from "../../config/chroot_name.ts";

/** Places of one chroot. */
export interface ChrootPlaces {
  /** What leads to the current generation: a symlink; a directory where another program made it. */
  readonly path: string;
  /** Its generations, by number, and what is known of each. */
  readonly generations: string;
  /** Held by whoever makes, changes or removes it. */
  readonly lock: string;
  /** A folder that holds a tree in the making, and is swept when nobody holds the lock. */
  readonly build: string;
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
  const build = join(buildsFolder(store), name);
  return {
    path: join(store, name),
    generations: join(generationsFolder(store), name),
    lock: join(lockFolder(store), `${name}.lock`),
    build,
    tree: join(build, "root"),
    scratch: join(build, "tmp"),
  };
}

/**
 * Where the generations of all chroots are.
 *
 * @param store The store's folder.
 * @returns An absolute path.
 */
export function generationsFolder(store: string): string {
  return join(store, ".generations");
}

/**
 * Where locks are.
 *
 * @param store The store's folder.
 * @returns An absolute path.
 */
export function lockFolder(store: string): string {
  return join(store, ".chroots");
}

/**
 * Where trees are made.
 *
 * @param store The store's folder.
 * @returns An absolute path.
 */
export function buildsFolder(store: string): string {
  return join(store, ".making");
}

/**
 * Where trees wait for their removal.
 *
 * @param store The store's folder.
 * @returns An absolute path.
 */
export function removalsFolder(store: string): string {
  return join(store, ".leaving");
}

/**
 * A folder for trees of a chroot that leave: no chroot's name has a `~`.
 *
 * @param store The store's folder.
 * @param name The chroot.
 * @param since When they leave, in milliseconds since 1970.
 * @returns An absolute path.
 */
export function removalPath(store: string, name: ChrootName, since: number): string {
  return join(removalsFolder(store), `${name}~${since}`);
}

/**
 * Whose trees leave, as their folder's name tells.
 *
 * @param entry One component of a path.
 * @returns Null where it is none of ours.
 */
export function chrootOfRemoval(entry: string): ChrootName | null {
  const [, name] = entry.match(/^([^~]+)~\d+$/) ?? [];
  return name !== undefined && isChrootName(name) ? name : null;
}
