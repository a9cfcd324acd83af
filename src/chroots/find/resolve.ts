/** Finds the chroot that an image means. */

import { type ChrootName, chrootNamesIn, namesOfImage } from "../../config/chroot_name.ts";
import type { Config } from "../../config/settings.ts";
import type { Host } from "../../host/host.ts";
import { findDefinition } from "../definition/find_definition.ts";
import { findPlaybook } from "../definition/playbook.ts";
import { isAllowed } from "./allowed.ts";
import type { Chroot } from "./chroot.ts";
import { lookUpTree } from "./lookup.ts";

/**
 * Finds the chroot that an image means: by its name, then by an alias.
 *
 * @param image The image as a person wrote it.
 * @throws {Failure} where there is none, with the chroots that exist.
 */
export async function resolveChroot(host: Host, config: Config, image: string): Promise<Chroot> {
  const chroot = await firstChroot(host, config, namesOfImage(image));
  if (chroot !== null) return chroot;
  const { unknownImage } = await import("./image_failures.ts");
  throw await unknownImage(host, config, image);
}

/** Finds the first of some chroots, by name, then by alias; null where there is none. */
async function firstChroot(
  host: Host,
  config: Config,
  names: readonly ChrootName[],
): Promise<Chroot | null> {
  for (const name of names) {
    const chroot = await findChroot(host, config, name);
    if (chroot !== null) return chroot;
  }
  if (names.length === 0) return null;
  // Loaded only here: most images are names of chroots, and every job's start-up pays for imports.
  const { chrootOfAlias } = await import("./alias.ts");
  const name = await chrootOfAlias(host, config, names);
  return name === null ? null : await findChroot(host, config, name);
}

async function findChroot(host: Host, config: Config, name: ChrootName): Promise<Chroot | null> {
  const tree = await lookUpTree(host, config.store, name);
  if (tree === null) return null;
  return { name, ...tree, ...await defined(host, config, name) };
}

/** Returns what definition and playbook say of a chroot's machines. */
async function defined(
  host: Host,
  config: Config,
  name: ChrootName,
): Promise<Pick<Chroot, "own" | "service">> {
  const found = await findDefinition(host, config, name);
  const playbook = await findPlaybook(host, config, name, found);
  const { machine = {}, build: { service = null } = {} } = found?.definition ?? {};
  return { own: [machine, playbook?.machine ?? {}], service };
}

/** Returns the settings of a chroot's machines: those of its definition, then those of its playbook. */
export async function ownSettings(
  host: Host,
  config: Config,
  name: ChrootName,
): Promise<Chroot["own"]> {
  return (await defined(host, config, name)).own;
}

/**
 * Finds the chroot that a job's image means; null where it means none, and may be one of a registry.
 *
 * @throws {Failure} where `allowed_images` excludes it, with the chroots that jobs may use.
 */
export async function findForJob(
  host: Host,
  config: Config,
  image: string,
): Promise<Chroot | null> {
  const chroot = await firstChroot(host, config, chrootNamesIn(image));
  if (chroot === null || isAllowed(config, chroot.name)) return chroot;
  const { deniedImage } = await import("./image_failures.ts");
  throw await deniedImage(host, config, image);
}
