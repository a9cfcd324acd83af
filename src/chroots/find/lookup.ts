/** Finds the tree of a chroot by its name. */

import { join } from "@std/path/posix";
import type { ChrootName } from "../../config/chroot_name.ts";
import { messageOf } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { ChrootFailure } from "../generations/chroot_failure.ts";
import {
  generationAt,
  generationNumbers,
  generationPath,
  readRecord,
} from "../generations/record.ts";
import type { Chroot } from "./chroot.ts";

/** The part of a chroot that changes with its generation. */
export type ChrootTree = Pick<Chroot, "path" | "generation" | "image">;

/** Finds the tree of a chroot, with its generation; returns null where there is none. */
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
 * Finds the tree of a chroot: a directory, or the target of a symlink.
 *
 * @returns Its path without symlinks; null where nothing of that name could be a chroot.
 * @throws {Failure} where machines cannot start from what is there.
 */
export async function findTree(
  host: Host,
  store: string,
  name: ChrootName,
): Promise<string | null> {
  const path = join(store, name);
  const real = await host.files.real(path).catch((error) => {
    throw unusable(name, path, messageOf(error), error);
  }) ?? await newestGeneration(host, store, name);
  if (real === null) return null;
  if (store === real || store.startsWith(real === "/" ? "/" : `${real}/`)) {
    throw unusable(name, path, `it leads to ${real}, which holds the store itself`);
  }
  // systemd-nspawn requires /usr. A definition beside chroots, or an empty mount point, has none.
  if ((await host.files.stat(join(real, "usr")))?.kind === "directory") return real;
  return null;
}

/** Returns the tree of a chroot that existed a moment ago. */
export async function currentTree(
  host: Host,
  store: string,
  name: ChrootName,
): Promise<ChrootTree> {
  const tree = await lookUpTree(host, store, name);
  if (tree !== null) return tree;
  const message = `Cannot use chroot ${name}: it was removed just now`;
  throw new ChrootFailure("refused", name, message);
}

/** Between two steps of a change, a chroot has generations and no symlink to one. */
async function newestGeneration(
  host: Host,
  store: string,
  name: ChrootName,
): Promise<string | null> {
  const newest = (await generationNumbers(host, store, name)).at(-1);
  return newest === undefined ? null : await host.files.real(generationPath(store, name, newest));
}

function unusable(name: ChrootName, path: string, reason: string, cause?: unknown): Error {
  const message = `Cannot use chroot ${name}: ${reason}`;
  return new ChrootFailure("refused", name, message, `Look at it: ls -l ${path}`, cause);
}
