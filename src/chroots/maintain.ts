/** Keeps chroots up to date. */

import { Failure, hostFailure, messageOf } from "../failure.ts";
import { createChroot, recreateChroot, updateChroot, type Work } from "./create.ts";
import { findTree } from "./find.ts";
import { canUpgrade } from "./furnish.ts";
import { definedNames, unknownImage } from "./list.ts";
import { type ChrootName, namesOfImage } from "./name.ts";
import { readRecipe } from "./recipe.ts";

/** What was done to a chroot. */
export type Maintained = "created" | "recreated" | "updated" | typeof NOTHING;

const NOTHING = "nothing to do: it has no apt, no setup and no playbook";

/**
 * Creates a chroot where it is missing, recreates it where it is defined so, else brings it up to date.
 *
 * @param work How it is worked.
 * @param name The chroot.
 * @returns What was done.
 * @throws {Failure} where it failed; the chroot is what it was, then.
 */
export async function maintainChroot(work: Work, name: ChrootName): Promise<Maintained> {
  const { host, config } = work;
  const recipe = await readRecipe(host, config, name);
  const tree = await findTree(host, config.store, name);
  if (tree === null) {
    await createChroot(work, name, undefined);
    return "created";
  }
  if (recipe.making.recreate ?? recipe.playbook?.recreate) {
    await recreateChroot(work, name);
    return "recreated";
  }
  const isFurnished = recipe.playbook !== null || recipe.making.setup !== undefined;
  if (!isFurnished && !await canUpgrade(host, tree)) return NOTHING;
  await updateChroot(work, name, recipe);
  return "updated";
}

/**
 * Maintains one chroot after the other, and tells how each went.
 *
 * @param work How it is worked.
 * @param names The chroots.
 * @throws {Failure} after the last one, where any failed.
 */
export async function maintainChroots(work: Work, names: readonly ChrootName[]): Promise<void> {
  const { host, interrupt } = work;
  const failed: ChrootName[] = [];
  for (const name of names) {
    if (interrupt.aborted) throw hostFailure("Cannot go on with maintenance: interrupted");
    try {
      host.log.info(`${name}: ${await maintainChroot(work, name)}`);
    } catch (error) {
      failed.push(name);
      host.log.warn(`${name}: failed: ${messageOf(error)}`);
      if (error instanceof Failure && error.hint !== undefined) host.log.info(error.hint);
    }
  }
  if (failed.length > 0) {
    throw hostFailure(
      `Cannot maintain ${failed.join(", ")}: ${failed.length} of ${names.length} failed`,
      "What each said stands above; they are as they were",
    );
  }
}

/**
 * The chroots that maintenance is about.
 *
 * @param work The outside, and where chroots and definitions are.
 * @param image One, as a person wrote it; all that have a definition or a playbook when undefined.
 * @returns Their names.
 * @throws {Failure} where that one is unknown.
 */
export async function chooseChroots(work: Work, image: string | undefined): Promise<ChrootName[]> {
  const { host, config } = work;
  const defined = await definedNames(host, config);
  if (image === undefined) return [...defined].sort();
  for (const name of namesOfImage(image)) {
    if (defined.has(name) || await findTree(host, config.store, name) !== null) return [name];
  }
  throw await unknownImage(host, config, image);
}
