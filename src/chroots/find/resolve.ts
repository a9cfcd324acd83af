/** From an image to the chroot that it means. */

import { join } from "@std/path/posix";
import type { Config } from "../../config/settings.ts";
import { messageOf, refused } from "../../failure.ts";
import { globRegExp } from "../../text/glob.ts";
import type { Host } from "../../host/host.ts";
import type { Chroot } from "./chroot.ts";
import { findDefinition } from "../definition/definition.ts";
import { generationPath, numberAt, numbersOf, readRecord } from "../generations/record.ts";
import { type ChrootName, namesOfImage } from "../generations/name.ts";
import { findPlaybook } from "../definition/playbook.ts";

/**
 * The chroot that an image means.
 *
 * @param host The outside.
 * @param config Where chroots and definitions are.
 * @param image As a job or a person wrote it.
 * @param lists Which chroots are named where there is none of that name.
 * @returns The chroot, ready to start machines from.
 * @throws {Failure} where there is none, with the list of what there is.
 */
export async function resolveChroot(
  host: Host,
  config: Config,
  image: string,
  lists: (name: string) => boolean = () => true,
): Promise<Chroot> {
  const names = namesOfImage(image);
  for (const name of names) {
    const chroot = await findChroot(host, config, name);
    if (chroot !== null) return chroot;
  }
  // A chroot's own name beats an alias.
  const { chrootOfAlias } = await import("./alias.ts");
  const name = await chrootOfAlias(host, config, names);
  const chroot = name === null ? null : await findChroot(host, config, name);
  if (chroot !== null) return chroot;
  const { unknownImage } = await import("./list.ts");
  throw await unknownImage(host, config, image, lists);
}

async function findChroot(host: Host, config: Config, name: ChrootName): Promise<Chroot | null> {
  const tree = await lookAtTree(host, config.store, name);
  if (tree === null) return null;
  const found = await findDefinition(host, config, name);
  const playbook = await findPlaybook(host, config, name, found);
  return { name, ...tree, own: [found?.definition.machine ?? {}, playbook?.machine ?? {}] };
}

/** The part of a chroot that changes with its generation. */
export type ChrootTree = Pick<Chroot, "path" | "generation" | "image">;

async function lookAtTree(host: Host, store: string, name: ChrootName): Promise<ChrootTree | null> {
  const path = await findTree(host, store, name);
  if (path === null) return null;
  const generation = numberAt(name, path);
  const record = generation === null ? null : await readRecord(host, store, name, generation);
  return { path, generation, image: record?.image ?? null };
}

/**
 * The chroot that an image means to a job, which may not use all of them.
 *
 * @param host The outside.
 * @param config Where chroots are, and which of them jobs may use.
 * @param image As the job names it.
 * @returns The chroot, ready to start machines from.
 * @throws {Failure} where there is none or it is not allowed, with the list of what is.
 */
export async function resolveForJob(host: Host, config: Config, image: string): Promise<Chroot> {
  const allows = (name: string) =>
    config.allowed_images.some((pattern) => globRegExp(pattern)?.test(name));
  const chroot = await resolveChroot(host, config, image, allows);
  if (allows(chroot.name)) return chroot;
  const { deniedImage } = await import("./list.ts");
  throw await deniedImage(host, config, image, allows);
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
  const tree = await lookAtTree(host, store, name);
  if (tree === null) throw refused(`Cannot use chroot ${name}: it was removed just now`);
  return tree;
}

/** Between two steps of a change nothing may lead to the generations that there are. */
async function realOfMisplaced(
  host: Host,
  store: string,
  name: ChrootName,
): Promise<string | null> {
  const newest = (await numbersOf(host, store, name)).at(-1);
  return newest === undefined ? null : await host.files.real(generationPath(store, name, newest));
}

function unusable(name: ChrootName, path: string, reason: string): Error {
  return refused(`Cannot use chroot ${name}: ${reason}`, `Look at ${path}`);
}
