/** Builds chroots from their sources. */

import type { ChrootName } from "../../config/chroot_name.ts";
import { refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { makeTree } from "../../linux/tree.ts";
import { hashOf, readRecipe, type Recipe } from "../definition/recipe.ts";
import { openBuildFolder } from "../generations/build_folder.ts";
import { changeChroot } from "../generations/change_chroot.ts";
import type { ChrootContext } from "../generations/context.ts";
import { requireOwned } from "../generations/ownership.ts";
import { chrootPaths } from "../generations/paths.ts";
import { currentRecord, UNKNOWN_ORIGIN } from "../generations/record.ts";
import { recoverStore } from "../generations/recover.ts";
import { chooseSource, type SuiteHints } from "../sources/choose.ts";
import type { Source } from "../sources/source.ts";
import { finishBuild } from "./finish_build.ts";
import { checkHostFiles } from "./host_files.ts";
import { provisionTree, requirePlaybookProgram } from "./provision.ts";

/**
 * Creates a chroot.
 *
 * @param suite The value of `--suite`.
 * @throws {Failure} where the chroot exists, or cannot be built.
 */
export async function createChroot(
  context: ChrootContext,
  name: ChrootName,
  suite: string | undefined,
): Promise<void> {
  await recoverStore(context.host, context.config.store);
  await changeChroot(context, name, "create", () => create(context, name, suite));
}

/** Creates a chroot as createChroot() does. The caller holds the chroot's lock. */
export async function create(
  context: ChrootContext,
  name: ChrootName,
  suite: string | undefined,
): Promise<void> {
  await refuseExisting(context, name);
  const recipe = await readRecipe(context.host, context.config, name);
  await build(context, name, recipe, await sourceOf(context, name, recipe, { option: suite }));
}

/**
 * Builds a new generation of a chroot from its source. The old one stays current until the new one
 * is complete and tested. The caller holds the chroot's lock.
 */
export async function recreate(context: ChrootContext, name: ChrootName): Promise<void> {
  await requireOwned(context.host, context.config.store, name, "recreate");
  const recipe = await readRecipe(context.host, context.config, name);
  await build(context, name, recipe, await sourceForRebuild(context, name, recipe));
}

/**
 * Returns the source of an existing chroot: a chroot that was made from a suite is rebuilt from it.
 *
 * @throws {Failure} where the source cannot be used.
 */
export async function sourceForRebuild(
  context: ChrootContext,
  name: ChrootName,
  recipe: Recipe,
): Promise<Source> {
  const origin = (await currentRecord(context.host, context.config.store, name))?.origin;
  // Any other origin counts only if the definition still names it.
  const isSuite = origin !== undefined && origin !== UNKNOWN_ORIGIN && !origin.includes(":");
  return await sourceOf(context, name, recipe, { record: isSuite ? origin : undefined });
}

async function sourceOf(
  context: ChrootContext,
  name: ChrootName,
  recipe: Recipe,
  hints: SuiteHints,
): Promise<Source> {
  await checkHostFiles(context.host, context.config, recipe);
  const source = await chooseSource(context, name, recipe, hints);
  await requirePlaybookProgram(context.host, recipe);
  return source;
}

async function build(
  context: ChrootContext,
  name: ChrootName,
  recipe: Recipe,
  source: Source,
): Promise<void> {
  const { host, config, interrupt } = context;
  host.log.info(`Making chroot ${name} ${source.how}`);
  await using folder = await openBuildFolder(host, config.store, name);
  const { tree } = folder;
  await makeTree(host, tree);
  const image = await source.fill(host, folder, interrupt);
  await requireRoot(host, tree, source);
  const { origin, pin, stranger } = source;
  const packages = source.installsPackages ? [] : recipe.build.packages ?? [];
  await provisionTree(context, { name, tree, image, stranger, recipe, packages, upgrades: false });
  const { settings } = recipe;
  await finishBuild(context, name, {
    origin,
    pin,
    stranger,
    image,
    recipe: await hashOf(recipe),
    settings,
  });
}

/** Refuses a tree that is no root file system: a tar file or a folder may hold anything. */
async function requireRoot(host: Host, tree: string, { origin }: Source): Promise<void> {
  if ((await host.files.stat(`${tree}/usr`))?.kind === "directory") return;
  throw refused(
    `Cannot use ${origin}: it is not a root file system`,
    "It has no folder usr at its top",
  );
}

async function refuseExisting({ host, config }: ChrootContext, name: ChrootName): Promise<void> {
  if (await host.files.lstat(chrootPaths(config.store, name).path) === null) return;
  throw refused(
    "it exists already",
    `Bring it up to date: nspawn-runner chroot-maintenance ${name}`,
  );
}
