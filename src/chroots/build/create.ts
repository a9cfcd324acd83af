/** Makes chroots, makes them anew, and brings them up to date. */

import type { MachineSettings } from "../../config/settings.ts";
import { Failure, refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { findTree } from "../find/lookup.ts";
import { requireOwned } from "../generations/ownership.ts";
import {
  canUpgrade,
  installPackages,
  provisionTree,
  requirePlaybookProgram,
  upgradeTree,
} from "./provision.ts";
import { currentNumber, type GenerationRecord, readRecord } from "../generations/record.ts";
import { whileLocked } from "../generations/lock.ts";
import { buildAside } from "./build_aside.ts";
import type { ChrootName } from "../../config/chroot_name.ts";
import { chrootPlaces } from "../generations/places.ts";
import { hashOf, readRecipe, type Recipe } from "../definition/recipe.ts";
import { chooseSource, type SuiteHints } from "../sources/choose.ts";
import type { Source } from "../sources/source.ts";
import { recoverStore } from "../generations/recover.ts";
import { copyTree, makeTree } from "../../linux/tree.ts";
import type { ChrootContext } from "../generations/context.ts";

/**
 * Makes a chroot that is not there yet.
 *
 * @param work How it is worked.
 * @param name The chroot.
 * @param suite What `--suite` said.
 * @throws {Failure} where it is there already, or cannot be made.
 */
export async function createChroot(
  work: ChrootContext,
  name: ChrootName,
  suite: string | undefined,
): Promise<void> {
  await changeChroot(work, name, "create", () => create(work, name, suite));
}

/**
 * Makes a chroot that is not there yet. The caller holds its lock.
 *
 * @param work How it is worked.
 * @param name The chroot.
 * @param suite What `--suite` said.
 * @throws {Failure} where it is there already, or cannot be made.
 */
export async function create(
  work: ChrootContext,
  name: ChrootName,
  suite: string | undefined,
): Promise<void> {
  await refuseExisting(work, name);
  const recipe = await readRecipe(work.host, work.config, name);
  await build(work, name, recipe, await sourceOf(work, name, recipe, { option: suite }));
}

/**
 * Makes a chroot anew. The old generation is current until the new one is complete and tested. The caller
 * holds the chroot's lock.
 *
 * @param work How it is worked.
 * @param name The chroot.
 * @throws {Failure} where it cannot be made.
 */
export async function recreate(work: ChrootContext, name: ChrootName): Promise<void> {
  await requireOwned(work.host, work.config.store, name, "recreate");
  const recipe = await readRecipe(work.host, work.config, name);
  await build(work, name, recipe, await sourceForRebuild(work, name, recipe));
}

/**
 * Brings a copy of a chroot up to date, which then is its new generation: packages, then what its
 * definition and its playbook say. The caller holds the chroot's lock.
 *
 * @param work How it is worked.
 * @param name The chroot.
 * @throws {Failure} where that fails.
 */
export async function update(work: ChrootContext, name: ChrootName): Promise<void> {
  const { host, config, interrupt } = work;
  const recipe = await readRecipe(host, config, name);
  await requireOwned(host, config.store, name, "update");
  await requirePlaybookProgram(host, recipe);
  await changeCopy(work, name, recipe.settings, async (tree) => {
    const { packages = [] } = recipe.build;
    if (await canUpgrade(host, tree)) await upgradeTree(host, tree, packages, interrupt);
    else await installPackages(host, tree, packages, interrupt); // refuses any: there is no apt
    await provisionTree(host, name, tree, recipe, interrupt);
    return await hashOf(recipe);
  });
}

/**
 * Makes a generation of a copy of the current one. The caller holds the chroot's lock.
 *
 * @param work How it is worked.
 * @param name The chroot.
 * @param settings Those of its machines.
 * @param change Changes the copy; tells the hash of the recipe that made it, null for an unchanged one.
 * @returns The number of the generation.
 */
export async function changeCopy(
  work: ChrootContext,
  name: ChrootName,
  settings: MachineSettings,
  change: (tree: string) => Promise<string | null>,
): Promise<number> {
  const { host, config: { store }, interrupt } = work;
  const record = await currentRecord(work, name);
  return await buildAside(work, name, async ({ tree }) => {
    const current = await findTree(host, store, name);
    if (current === null) throw refused("it is gone", "Make it: nspawn-runner chroot-create");
    host.log.info(`Copying ${current}`);
    await copyTree(host, current, tree, interrupt);
    const hash = await change(tree) ?? record?.recipe ?? null;
    const { origin = UNKNOWN_ORIGIN, pin = null, image = null } = record ?? {};
    return { origin, pin, image, recipe: hash, settings };
  });
}

/** The origin of what another program made. */
export const UNKNOWN_ORIGIN = "unknown";

/**
 * What is known of the current generation of a chroot.
 *
 * @param work How it is worked.
 * @param name The chroot.
 * @returns Null where another program made it.
 */
export async function currentRecord(
  { host, config: { store } }: ChrootContext,
  name: ChrootName,
): Promise<GenerationRecord | null> {
  const number = await currentNumber(host, store, name);
  return number === null ? null : await readRecord(host, store, name, number);
}

/**
 * What a chroot is made from that was made before.
 *
 * @param work How it is worked.
 * @param name The chroot.
 * @param recipe What its definition and its playbook say.
 * @returns The source.
 * @throws {Failure} where it cannot be used.
 */
export async function sourceForRebuild(
  work: ChrootContext,
  name: ChrootName,
  recipe: Recipe,
): Promise<Source> {
  const origin = (await currentRecord(work, name))?.origin;
  // A source that was named is in the definition, or was given up.
  const isSuite = origin !== undefined && origin !== UNKNOWN_ORIGIN && !origin.includes(":");
  return await sourceOf(work, name, recipe, { record: isSuite ? origin : undefined });
}

async function sourceOf(
  work: ChrootContext,
  name: ChrootName,
  recipe: Recipe,
  said: SuiteHints,
): Promise<Source> {
  const source = await chooseSource(work, name, recipe, said);
  await requirePlaybookProgram(work.host, recipe);
  return source;
}

async function build(
  work: ChrootContext,
  name: ChrootName,
  recipe: Recipe,
  source: Source,
): Promise<void> {
  const { host, interrupt } = work;
  host.log.info(`Making chroot ${name} ${source.how}`);
  await buildAside(work, name, async (places) => {
    const { tree } = places;
    await makeTree(host, tree);
    const image = await source.fill(host, places, interrupt);
    await refuseRootless(host, tree, source);
    if (!source.bringsPackages) {
      await installPackages(host, tree, recipe.build.packages ?? [], interrupt);
    }
    await provisionTree(host, name, tree, recipe, interrupt);
    const { origin, pin } = source;
    return { origin, pin, image, recipe: await hashOf(recipe), settings: recipe.settings };
  });
}

/** A tar file, or a folder, may hold anything. */
async function refuseRootless(host: Host, tree: string, { origin }: Source): Promise<void> {
  if ((await host.files.stat(`${tree}/usr`))?.kind === "directory") return;
  throw refused(
    `Cannot use ${origin}: it is no root file system`,
    "It has no folder usr at its top",
  );
}

async function refuseExisting({ host, config }: ChrootContext, name: ChrootName): Promise<void> {
  if (await host.files.lstat(chrootPlaces(config.store, name).path) === null) return;
  throw refused(
    "it exists already",
    `Bring it up to date: nspawn-runner chroot-maintenance ${name}`,
  );
}

/**
 * Changes one chroot, after what killed changes left is undone.
 *
 * @param work How it is worked.
 * @param name The chroot.
 * @param verb What is done to it; failures say that it could not be.
 * @param act What is done while nobody else changes it.
 * @returns What it returns.
 */
export async function changeChroot<T>(
  work: ChrootContext,
  name: ChrootName,
  verb: string,
  act: () => Promise<T>,
): Promise<T> {
  const { host, config: { store }, interrupt } = work;
  await recoverStore(host, store);
  try {
    return await whileLocked(work, name, act);
  } catch (error) {
    if (!(error instanceof Failure) || error.message.includes(` chroot ${name}: `)) throw error;
    const reason = interrupt.aborted ? "interrupted" : lowered(error.message);
    throw new Failure(error.kind, `Cannot ${verb} chroot ${name}: ${reason}`, error.hint);
  }
}

function lowered(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1);
}
