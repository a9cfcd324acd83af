/** Keeps chroots up to date. */

import { type ChrootName, isChrootName, namesOfImage } from "../../config/chroot_name.ts";
import { Failure, hostFailure, messageOf } from "../../failure.ts";
import { definedNames } from "../definition/defined_names.ts";
import { findDefinition } from "../definition/find_definition.ts";
import { hashOf, readRecipe, type Recipe } from "../definition/recipe.ts";
import { unknownImage } from "../find/image_failures.ts";
import { findTree } from "../find/lookup.ts";
import { changeChroot } from "../generations/change_chroot.ts";
import type { ChrootContext } from "../generations/context.ts";
import { generationNumbers, readRecord } from "../generations/record.ts";
import { recoverStore } from "../generations/recover.ts";
import { create, recreate, sourceForRebuild } from "./create.ts";
import { hasApt } from "./provision.ts";
import { update } from "./update.ts";

/** What maintenance does to a chroot. */
export type Maintenance = "create" | "recreate" | "update" | "nothing";

const DONE: Readonly<Record<Maintenance, string>> = {
  create: "created",
  recreate: "recreated",
  update: "updated",
  nothing: "nothing to do",
};

/**
 * Decides what maintenance does: creates a chroot that is missing, recreates it where its
 * definition says so or its source has changed, and otherwise updates it. Changes nothing.
 */
export async function planMaintenance(
  context: ChrootContext,
  name: ChrootName,
): Promise<Maintenance> {
  const { host, config } = context;
  const recipe = await readRecipe(host, config, name);
  const { build, playbook } = recipe;
  const tree = await findTree(host, config.store, name);
  if (tree === null) return "create";
  if (build.recreate ?? playbook?.recreate) return "recreate";
  if (hasPinnedSource(recipe)) {
    const source = await sourceForRebuild(context, name, recipe);
    if (!await isUpToDate(context, name, recipe, source.pin)) return "recreate";
    if (source.isImmutable) return "nothing";
  }
  const { setup, copy, packages } = build;
  const isProvisioned = playbook !== null ||
    [setup, copy, packages].some((key) => key !== undefined);
  return isProvisioned || await hasApt(host, tree) ? "update" : "nothing";
}

/**
 * Tells whether a chroot's source has a pin, by which a changed source is known: images and other chroots do. The
 * packages of a suite change without one.
 */
function hasPinnedSource({ build }: Recipe): boolean {
  return build.extends !== undefined || /^(?:docker|oci):/.test(build.source ?? "");
}

/**
 * Tells whether the newest build already has this source and definition. The newest build counts
 * also after a rollback, so that a bad build is not repeated.
 */
async function isUpToDate(
  { host, config: { store } }: ChrootContext,
  name: ChrootName,
  recipe: Recipe,
  pin: string | null,
): Promise<boolean> {
  const newest = (await generationNumbers(host, store, name)).at(-1);
  const record = newest === undefined ? null : await readRecord(host, store, name, newest);
  return record !== null && record.pin === pin && record.recipe === await hashOf(recipe);
}

/**
 * Maintains a chroot. A failure leaves the chroot as it was.
 *
 * @returns What was done, in words.
 */
export async function maintainChroot(context: ChrootContext, name: ChrootName): Promise<string> {
  await recoverStore(context.host, context.config.store);
  return await changeChroot(context, name, "maintain", async () => {
    const maintenance = await planMaintenance(context, name);
    if (maintenance === "create") await create(context, name, undefined);
    if (maintenance === "recreate") await recreate(context, name);
    if (maintenance === "update") await update(context, name);
    return DONE[maintenance];
  });
}

/**
 * Logs for each chroot what maintenance would do. Changes nothing.
 *
 * @throws {Failure} after the last one, where a definition is wrong.
 */
export async function checkChroots(
  context: ChrootContext,
  names: readonly ChrootName[],
): Promise<void> {
  await forEachChroot(context, names, "check", async (name) => {
    const maintenance = await planMaintenance(context, name);
    return maintenance === "nothing" ? DONE.nothing : `would be ${DONE[maintenance]}`;
  });
}

/**
 * Maintains one chroot after the other, and logs the result of each.
 *
 * @throws {Failure} after the last one, where any failed.
 */
export async function maintainChroots(
  context: ChrootContext,
  names: readonly ChrootName[],
): Promise<void> {
  await forEachChroot(context, names, "maintain", (name) => maintainChroot(context, name));
}

async function forEachChroot(
  { host, interrupt }: ChrootContext,
  names: readonly ChrootName[],
  verb: string,
  act: (name: ChrootName) => Promise<string>,
): Promise<void> {
  const failed: ChrootName[] = [];
  for (const name of names) {
    if (interrupt.aborted) throw hostFailure(`Cannot ${verb} the remaining chroots: interrupted`);
    try {
      host.log.info(`${name}: ${await act(name)}`);
    } catch (error) {
      failed.push(name);
      host.log.warn(`${name}: failed: ${messageOf(error)}`);
      if (error instanceof Failure && error.hint !== undefined) host.log.info(error.hint);
    }
  }
  if (failed.length > 0) {
    throw hostFailure(
      `Cannot ${verb} ${failed.join(", ")}: ${failed.length} of ${names.length} failed`,
      "See the messages above; the failed chroots are unchanged",
    );
  }
}

/**
 * Returns the chroots to maintain, each once, and each after the chroot that it extends.
 *
 * @param images Chroots as a person wrote them; none for all that have a definition or a playbook.
 * @throws {Failure} where one is unknown.
 */
export async function chooseChroots(
  context: ChrootContext,
  images: readonly string[],
): Promise<ChrootName[]> {
  const { host, config } = context;
  const defined = await definedNames(host, config);
  const names = new Set<ChrootName>(images.length === 0 ? [...defined].sort() : []);
  for (const image of images) names.add(await findNamed(context, defined, image));
  return await basesFirst(context, names);
}

async function basesFirst(
  { host, config }: ChrootContext,
  names: ReadonlySet<ChrootName>,
): Promise<ChrootName[]> {
  const ordered = new Set<ChrootName>();
  // Ends at a cycle, which is refused when its chroot is built.
  const visited = new Set<ChrootName>();
  const visit = async (name: ChrootName) => {
    if (visited.has(name)) return;
    visited.add(name);
    const found = await findDefinition(host, config, name).catch(() => null);
    const base = found?.definition.build.extends ?? "";
    if (isChrootName(base)) await visit(base);
    if (names.has(name)) ordered.add(name);
  };
  for (const name of names) await visit(name);
  return [...ordered];
}

async function findNamed(
  { host, config }: ChrootContext,
  defined: ReadonlySet<ChrootName>,
  image: string,
): Promise<ChrootName> {
  for (const name of namesOfImage(image)) {
    if (defined.has(name) || await findTree(host, config.store, name) !== null) return name;
  }
  throw await unknownImage(host, config, image);
}
