/** Builds a generation of a chroot from a copy of its current one. */

import type { ChrootName } from "../../config/chroot_name.ts";
import { refused } from "../../failure.ts";
import { copyTree } from "../../linux/tree.ts";
import { hashOf, readRecipe } from "../definition/recipe.ts";
import { findTree } from "../find/lookup.ts";
import { openBuildFolder } from "../generations/build_folder.ts";
import type { ChrootContext } from "../generations/context.ts";
import { requireOwned } from "../generations/ownership.ts";
import { currentRecord, UNKNOWN_ORIGIN } from "../generations/record.ts";
import { strangerOf } from "../generations/stranger.ts";
import { type BuildResult, finishBuild } from "./finish_build.ts";
import { checkHostFiles } from "./host_files.ts";
import { hasApt, provisionTree, requirePlaybookProgram } from "./provision.ts";

/**
 * Updates a chroot on a copy, which becomes its new generation: upgrades the packages, then does
 * what the definition and the playbook say. The caller holds the chroot's lock.
 */
export async function update(context: ChrootContext, name: ChrootName): Promise<void> {
  const { host, config } = context;
  const recipe = await readRecipe(host, config, name);
  await requireOwned(host, config.store, name, "update");
  await checkHostFiles(host, config, recipe);
  await requirePlaybookProgram(host, recipe);
  await using folder = await openBuildFolder(host, config.store, name);
  const { tree } = folder;
  const build = await copyCurrent(context, name, tree);
  const { settings, build: { packages = [] } } = recipe;
  const upgrades = await hasApt(host, tree);
  const { stranger, image } = build;
  await provisionTree(context, { name, tree, image, stranger, recipe, packages, upgrades });
  await finishBuild(context, name, { ...build, recipe: await hashOf(recipe), settings });
}

/**
 * Copies the tree of a chroot's current generation. The caller holds the chroot's lock.
 *
 * @returns What is recorded of that generation.
 */
export async function copyCurrent(
  { host, config: { store }, interrupt }: ChrootContext,
  name: ChrootName,
  to: string,
): Promise<Omit<BuildResult, "settings">> {
  const record = await currentRecord(host, store, name);
  const tree = await findTree(host, store, name);
  if (tree === null) {
    throw refused("it was removed just now", `Create it: nspawn-runner chroot-create ${name}`);
  }
  host.log.info(`Copying ${tree}`);
  await copyTree(host, tree, to, interrupt);
  const { origin = UNKNOWN_ORIGIN, pin = null, image = null, recipe = null } = record ?? {};
  return { origin, pin, stranger: await strangerOf(host, tree), image, recipe };
}
