/** Where the store keeps chroots and what belongs to them. All paths are absolute. */

import { join } from "@std/path/posix";
import { type ChrootName, isChrootName } from "../../config/chroot_name.ts";

/** The paths of one chroot. */
export interface ChrootPaths {
  /** A symlink to the current generation; a directory where another program made the chroot. */
  readonly path: string;
  /** The folder of its generations, by number, each with a record beside it. */
  readonly generations: string;
  /** Held by the process that makes, changes or removes the chroot. */
  readonly lock: string;
  /** The folder of a build; a leftover where no process holds the lock. */
  readonly build: string;
  /** The tree that is built. */
  readonly tree: string;
  /** Temporary files of the tools that build it. */
  readonly scratch: string;
}

/** Returns the paths of a chroot. */
export function chrootPaths(store: string, name: ChrootName): ChrootPaths {
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

/** Returns the folder of all generations. */
export function generationsFolder(store: string): string {
  return join(store, ".generations");
}

/** Returns the folder of the locks of chroots. */
export function lockFolder(store: string): string {
  return join(store, ".chroots");
}

/** Returns the folder of all builds. */
export function buildsFolder(store: string): string {
  return join(store, ".making");
}

/** Returns the folder of trees that are being removed. */
export function removalsFolder(store: string): string {
  return join(store, ".leaving");
}

/**
 * Returns a folder for trees of a chroot that are to be removed. No chroot's name holds a `~`.
 *
 * @param since When the removal began, in milliseconds since 1970.
 */
export function removalPath(store: string, name: ChrootName, since: number): string {
  return join(removalsFolder(store), `${name}~${since}`);
}

/**
 * Returns the chroot whose trees are in an entry of the folder of removals; null for any other
 * name.
 */
export function chrootOfRemoval(entry: string): ChrootName | null {
  const [, name] = entry.match(/^([^~]+)~\d+$/) ?? [];
  return name !== undefined && isChrootName(name) ? name : null;
}
