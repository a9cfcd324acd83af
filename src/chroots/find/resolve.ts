/** From an image to the chroot that it means. */

import type { Config } from "../../config/settings.ts";
import { globRegExp } from "../../text/glob.ts";
import type { Host } from "../../host/host.ts";
import type { Chroot } from "./chroot.ts";
import { findDefinition } from "../definition/definition.ts";
import { type ChrootName, namesOfImage } from "../../config/chroot_name.ts";
import { findPlaybook } from "../definition/playbook.ts";
import { lookUpTree } from "./lookup.ts";

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
  const tree = await lookUpTree(host, config.store, name);
  if (tree === null) return null;
  const found = await findDefinition(host, config, name);
  const playbook = await findPlaybook(host, config, name, found);
  return { name, ...tree, own: [found?.definition.machine ?? {}, playbook?.machine ?? {}] };
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
