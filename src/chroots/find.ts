/** From an image to the chroot that it means. */

import { join } from "@std/path/posix";
import type { Config } from "../config/settings.ts";
import { refused } from "../failure.ts";
import type { Host } from "../host/host.ts";
import type { Chroot } from "./chroot.ts";
import { readDefinition } from "./definition.ts";
import { type ChrootName, isChrootName, namesOfImage } from "./name.ts";

/**
 * The chroot that an image means.
 *
 * @param host The outside.
 * @param config Where chroots and definitions are.
 * @param image As a job or a person wrote it.
 * @returns The chroot, ready to start machines from.
 * @throws {Failure} where there is none, with the list of what there is.
 */
export async function resolveChroot(host: Host, config: Config, image: string): Promise<Chroot> {
  for (const name of namesOfImage(image)) {
    const path = await treeOf(host, config.store, name);
    if (path !== null) return { name, path, definition: await readDefinition(host, config, name) };
  }
  throw await unknownImage(host, config, image);
}

/**
 * The tree of a chroot: a bare directory, or what a symlink of that name leads to.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @param name The chroot.
 * @returns Its path without symlinks, or null where there is none.
 */
export async function treeOf(host: Host, store: string, name: ChrootName): Promise<string | null> {
  const path = await host.files.real(join(store, name));
  if (path === null || (await host.files.stat(path))?.kind !== "directory") return null;
  return path;
}

/**
 * The names of all chroots in the store.
 *
 * @param host The outside.
 * @param store The store's folder; it need not exist.
 * @returns Sorted names.
 */
export async function chrootNames(host: Host, store: string): Promise<ChrootName[]> {
  const names: ChrootName[] = [];
  for (const name of await host.files.list(store)) {
    if (isChrootName(name) && await treeOf(host, store, name) !== null) names.push(name);
  }
  return names;
}

async function unknownImage(host: Host, config: Config, image: string): Promise<Error> {
  const names = await chrootNames(host, config.store);
  const there = names.length === 0 ? "There is none yet" : `There are: ${names.join(", ")}`;
  const [wanted] = namesOfImage(image);
  return refused(
    `Cannot use image ${JSON.stringify(image)}: there is no such chroot. ${there}`,
    `Make it: nspawn-runner chroot-create ${wanted}`,
  );
}
