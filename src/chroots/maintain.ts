/** Keeps chroots up to date. */

import { Failure, hostFailure, messageOf } from "../failure.ts";
import { createChroot, recreateChroot, updateChroot, type Work } from "./create.ts";
import { findTree } from "./find.ts";
import { canUpgrade } from "./furnish.ts";
import { definedNames, unknownImage } from "./list.ts";
import { type ChrootName, namesOfImage } from "./name.ts";
import { readRecipe } from "./recipe.ts";

/** What maintenance does to a chroot. */
export type Maintenance = "create" | "recreate" | "update" | "nothing";

const DONE: Readonly<Record<Maintenance, string>> = {
  create: "created",
  recreate: "recreated",
  update: "updated",
  nothing: "nothing to do: it has no apt, no setup and no playbook",
};

/**
 * What maintenance would do: create a chroot where it is missing, recreate it where it is defined so, else
 * bring it up to date.
 *
 * @param work How it is worked.
 * @param name The chroot.
 * @returns That.
 * @throws {Failure} where its definition holds what it may not.
 */
export async function planMaintenance(work: Work, name: ChrootName): Promise<Maintenance> {
  const { host, config } = work;
  const { making, playbook } = await readRecipe(host, config, name);
  const tree = await findTree(host, config.store, name);
  if (tree === null) return "create";
  if (making.recreate ?? playbook?.recreate) return "recreate";
  const isFurnished = playbook !== null || making.setup !== undefined || making.copy !== undefined;
  return isFurnished || await canUpgrade(host, tree) ? "update" : "nothing";
}

/**
 * Maintains a chroot.
 *
 * @param work How it is worked.
 * @param name The chroot.
 * @returns What was done, in words.
 * @throws {Failure} where it failed; the chroot is what it was, then.
 */
export async function maintainChroot(work: Work, name: ChrootName): Promise<string> {
  const maintenance = await planMaintenance(work, name);
  if (maintenance === "create") await createChroot(work, name, undefined);
  if (maintenance === "recreate") await recreateChroot(work, name);
  if (maintenance === "update") await updateChroot(work, name);
  return DONE[maintenance];
}

/**
 * Says of each chroot what maintenance would do.
 *
 * @param work The outside, and where chroots and definitions are.
 * @param names The chroots.
 * @throws {Failure} after the last one, where a definition is wrong.
 */
export async function checkChroots(work: Work, names: readonly ChrootName[]): Promise<void> {
  await oneByOne(work, names, "check", async (name) => {
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
export async function maintainChroots(work: Work, names: readonly ChrootName[]): Promise<void> {
  await oneByOne(work, names, "maintain", (name) => maintainChroot(work, name));
}

async function oneByOne(
  { host, interrupt }: Work,
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
  work: Work,
  images: readonly string[],
): Promise<ChrootName[]> {
  const { host, config } = work;
  const defined = await definedNames(host, config);
  if (images.length === 0) return [...defined].sort();
  const names = new Set<ChrootName>();
  for (const image of images) names.add(await chooseOne(work, defined, image));
  return [...names];
}

async function chooseOne(
  { host, config }: Work,
  defined: ReadonlySet<ChrootName>,
  image: string,
): Promise<ChrootName> {
  for (const name of namesOfImage(image)) {
    if (defined.has(name) || await findTree(host, config.store, name) !== null) return name;
  }
  throw await unknownImage(host, config, image);
}
