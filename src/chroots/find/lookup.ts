/** Finds the tree of a chroot by its name. */

import {
  generationAt,
  generationNumbers,
  generationPath,
  readRecord,
} from "../generations/record.ts";
import type { ChrootName } from "../../config/chroot_name.ts";
import { messageOf, refused } from "../../failure.ts";
import { join } from "@std/path/posix";
import type { Host } from "../../host/host.ts";
import type { Chroot } from "./chroot.ts";
/** The part of a chroot that changes with its generation. */
export type ChrootTree = Pick<Chroot, "path" | "generation" | "image">;

export async function lookUpTree(
  host: Host,
  store: string,
  name: ChrootName,
): Promise<ChrootTree | null> {
  const path = await findTree(host, store, name);
  if (path === null) return null;
  const generation = generationAt(name, path);
  const record = generation === null ? null : await readRecord(host, store, name, generation);
  return { path, generation, image: record?.image ?? null };
}

/**
 * The tree of a chroot: a bare directory, or what a symlink of that name leads to.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @param name The chroot.
 * @returns Its path without symlinks, or null where nothing of that name could be a chroot.
 * @throws {Failure} where there is something that machines cannot start from.
 */
export async function findTree(
  host: Host,
  store: string,
  name: ChrootName,
): Promise<string | null> {
  const path = join(store, name);
  const real = await host.files.real(path).catch((error) => {
    throw unusable(name, path, messageOf(error));
  }) ?? await realOfMisplaced(host, store, name);
  if (real === null) return null;
  if (store === real || store.startsWith(real === "/" ? "/" : `${real}/`)) {
    throw unusable(name, path, `it leads to ${real}, which holds the store itself`);
  }
  // What systemd-nspawn asks of a root. A definition beside chroots has none, nor has an empty mount point.
  if ((await host.files.stat(join(real, "usr")))?.kind === "directory") return real;
  return null;
}

/**
 * The tree of a chroot that was there a moment ago.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @param name The chroot.
 * @returns What it is now.
 * @throws {Failure} where it is gone.
 */
export async function currentTree(
  host: Host,
  store: string,
  name: ChrootName,
): Promise<ChrootTree> {
  const tree = await lookUpTree(host, store, name);
  if (tree === null) throw refused(`Cannot use chroot ${name}: it was removed just now`);
  return tree;
}

/** Between two steps of a change nothing may lead to the generations that there are. */
async function realOfMisplaced(
  host: Host,
  store: string,
  name: ChrootName,
): Promise<string | null> {
  const newest = (await generationNumbers(host, store, name)).at(-1);
  return newest === undefined ? null : await host.files.real(generationPath(store, name, newest));
}

function unusable(name: ChrootName, path: string, reason: string): Error {
  return refused(`Cannot use chroot ${name}: ${reason}`, `Look at ${path}`);
}
