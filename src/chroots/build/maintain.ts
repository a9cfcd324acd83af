/** Keeps chroots up to date. */

import { Failure, hostFailure, messageOf } from "../../failure.ts";
import { changeChroot, create, recreate, sourceForRebuild, update } from "./create.ts";
import { findDefinition } from "../definition/definition.ts";
import { findTree } from "../find/lookup.ts";
import { generationNumbers, readRecord } from "../generations/record.ts";
import { canUpgrade } from "./provision.ts";
import { definedNames, unknownImage } from "../find/list.ts";
import { type ChrootName, isChrootName, namesOfImage } from "../../config/chroot_name.ts";
import { hashOf, readRecipe, type Recipe } from "../definition/recipe.ts";
import type { ChrootContext } from "../generations/context.ts";

/** What maintenance does to a chroot. */
export type Maintenance = "create" | "recreate" | "update" | "nothing";

const DONE: Readonly<Record<Maintenance, string>> = {
  create: "created",
  recreate: "recreated",
  update: "updated",
  nothing: "nothing to do",
};

/**
 * What maintenance would do: create a chroot where it is missing; recreate it where it is defined so, or
 * what it was made from is another now; else bring it up to date.
 *
 * @param work How it is worked.
 * @param name The chroot.
 * @returns That.
 * @throws {Failure} where its definition holds what it may not.
 */
export async function planMaintenance(work: ChrootContext, name: ChrootName): Promise<Maintenance> {
  const { host, config } = work;
  const recipe = await readRecipe(host, config, name);
  const { build, playbook } = recipe;
  const tree = await findTree(host, config.store, name);
  if (tree === null) return "create";
  if (build.recreate ?? playbook?.recreate) return "recreate";
  if (hasPinnedSource(recipe)) {
    const source = await sourceForRebuild(work, name, recipe);
    if (!await isUpToDate(work, name, recipe, source.pin)) return "recreate";
    if (source.isFixed) return "nothing";
  }
  const { setup, copy, packages } = build;
  const isFurnished = playbook !== null || [setup, copy, packages].some((key) => key !== undefined);
  return isFurnished || await canUpgrade(host, tree) ? "update" : "nothing";
}

/** Whether the state of what a chroot is made from can be told. */
function hasPinnedSource({ build }: Recipe): boolean {
  return build.extends !== undefined || /^(?:docker|oci):/.test(build.source ?? "");
}

/** Whether its newest build is what it would be made anew: after a way back, the same is not tried again. */
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
 * Maintains a chroot.
 *
 * @param work How it is worked.
 * @param name The chroot.
 * @returns What was done, in words.
 * @throws {Failure} where it failed; the chroot is what it was, then.
 */
export async function maintainChroot(work: ChrootContext, name: ChrootName): Promise<string> {
  return await changeChroot(work, name, "maintain", async () => {
    const maintenance = await planMaintenance(work, name);
    if (maintenance === "create") await create(work, name, undefined);
    if (maintenance === "recreate") await recreate(work, name);
    if (maintenance === "update") await update(work, name);
    return DONE[maintenance];
  });
}

/**
 * Says of each chroot what maintenance would do.
 *
 * @param work The outside, and where chroots and definitions are.
 * @param names The chroots.
 * @throws {Failure} after the last one, where a definition is wrong.
 */
export async function checkChroots(
  work: ChrootContext,
  names: readonly ChrootName[],
): Promise<void> {
  await forEachChroot(work, names, "check", async (name) => {
    const maintenance = await planMaintenance(work, name);
    return maintenance === "nothing" ? DONE.nothing : `would be ${DONE[maintenance]}`;
  });
}

/**
 * Maintains one chroot after the other, and tells how each went.
 *
 * @param work How it is worked.
 * @param names The chroots.
 * @throws {Failure} after the last one, where any failed.
 */
export async function maintainChroots(
  work: ChrootContext,
  names: readonly ChrootName[],
): Promise<void> {
  await forEachChroot(work, names, "maintain", (name) => maintainChroot(work, name));
}

async function forEachChroot(
  { host, interrupt }: ChrootContext,
  names: readonly ChrootName[],
  verb: string,
  act: (name: ChrootName) => Promise<string>,
): Promise<void> {
  const failed: ChrootName[] = [];
  for (const name of names) {
    if (interrupt.aborted) throw hostFailure("Cannot go on with maintenance: interrupted");
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
      "What each said stands above; they are as they were",
    );
  }
}

/**
 * The chroots that maintenance is about.
 *
 * @param work The outside, and where chroots and definitions are.
 * @param images Some, as a person wrote them; none means all that have a definition or a playbook.
 * @returns Their names, each once.
 * @throws {Failure} where one is unknown.
 */
export async function chooseChroots(
  work: ChrootContext,
  images: readonly string[],
): Promise<ChrootName[]> {
  const { host, config } = work;
  const defined = await definedNames(host, config);
  const names = new Set<ChrootName>(images.length === 0 ? [...defined].sort() : []);
  for (const image of images) names.add(await findNamed(work, defined, image));
  return await basesFirst(work, names);
}

/** What others start from comes before them. */
async function basesFirst(
  { host, config }: ChrootContext,
  names: ReadonlySet<ChrootName>,
): Promise<ChrootName[]> {
  const ordered = new Set<ChrootName>();
  const visited = new Set<ChrootName>(); // a circle is told when its turn comes
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
