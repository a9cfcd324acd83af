/** Makes chroots, and makes them anew. */

import type { Config } from "../config/settings.ts";
import { Failure, refused } from "../failure.ts";
import type { Host } from "../host/host.ts";
import { finishTree } from "./bootstrap.ts";
import { canUpgrade, furnishTree, requireFurnishers, upgradeTree } from "./furnish.ts";
import { whileLocked } from "./lock.ts";
import { makeAside, refuseForeign, sweep } from "./making.ts";
import type { ChrootName } from "./name.ts";
import { type ChrootPlaces, chrootPlaces } from "./places.ts";
import { readRecipe } from "./recipe.ts";
import { readRecord, writeRecord } from "./record.ts";
import { chooseSource, type Said } from "./sources/choose.ts";
import type { Source } from "./sources/source.ts";
import { copyTree, makeTree, sizeOfTree } from "./tree.ts";
import type { Users } from "./users.ts";

/** What every work on a chroot needs to know. */
export interface Work {
  readonly host: Host;
  readonly config: Config;
  readonly users: Users;
  /** Gives up when aborted; what there was stays as it was. */
  readonly interrupt: AbortSignal;
}

/**
 * Makes a chroot that is not there yet.
 *
 * @param work How it is worked.
 * @param name The chroot.
 * @param suite What `--suite` said.
 * @throws {Failure} where it is there already, or cannot be made.
 */
export async function createChroot(
  work: Work,
  name: ChrootName,
  suite: string | undefined,
): Promise<void> {
  await locked(work, name, "create", async () => {
    await refuseExisting(work, name);
    await build(work, name, { option: suite });
  });
}

/**
 * Makes a chroot anew. The old one stays until the new one is complete, and longer where machines
 * read it.
 *
 * @param work How it is worked.
 * @param name The chroot.
 * @throws {Failure} where it cannot be made.
 */
export async function recreateChroot(work: Work, name: ChrootName): Promise<void> {
  await locked(work, name, "recreate", async () => {
    await refuseForeign(work.host, work.config.store, name, "recreate");
    const record = await readRecord(work.host, work.config.store, name);
    // A source that was named is in the definition, or was given up.
    const before = record?.suite.includes(":") ? undefined : record?.suite;
    await build(work, name, { record: before });
  });
}

/**
 * Brings a copy of a chroot up to date, which then takes its place: packages, then what its definition and
 * its playbook say.
 *
 * @param work How it is worked.
 * @param name The chroot.
 * @throws {Failure} where that fails.
 */
export async function updateChroot(work: Work, name: ChrootName): Promise<void> {
  const { host, config, users, interrupt } = work;
  const { store } = config;
  await locked(work, name, "update", async () => {
    const recipe = await readRecipe(host, config, name);
    await refuseForeign(host, store, name, "update");
    await requireFurnishers(host, recipe);
    const record = await readRecord(host, store, name);
    await makeAside(host, store, name, users, async (places) => {
      await copyTree(host, places.path, places.tree, interrupt);
      if (await canUpgrade(host, places.tree)) await upgradeTree(host, places.tree, interrupt);
      await furnishTree(host, name, places.tree, recipe, interrupt);
      await finishTree(host, places.tree);
      if (record !== null) await recordMaking(work, name, record.suite, places);
    });
  });
}

async function build(work: Work, name: ChrootName, said: Said): Promise<void> {
  const { host, config, users, interrupt } = work;
  const recipe = await readRecipe(host, config, name);
  const source = await chooseSource(host, name, recipe, said);
  await requireFurnishers(host, recipe);
  host.log.info(`Making chroot ${name} ${source.how}`);
  await makeAside(host, config.store, name, users, async (places) => {
    await makeTree(host, places.tree);
    await source.fill(host, places, interrupt);
    await refuseRootless(host, places.tree, source);
    await furnishTree(host, name, places.tree, recipe, interrupt);
    await finishTree(host, places.tree);
    await recordMaking(work, name, source.origin, places);
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

/** Written while nobody sees the tree: a record without its chroot tells nothing to anybody. */
async function recordMaking(
  { host, config }: Work,
  name: ChrootName,
  suite: string,
  { tree }: ChrootPlaces,
): Promise<void> {
  const made = new Date(host.clock.now()).toISOString();
  const size = await sizeOfTree(host, tree);
  await writeRecord(host, config.store, name, { version: 1, suite, size, made });
}

async function refuseExisting({ host, config }: Work, name: ChrootName): Promise<void> {
  if (await host.files.lstat(chrootPlaces(config.store, name).path) === null) return;
  throw refused(
    "it exists already",
    `Bring it up to date: nspawn-runner chroot-maintenance ${name}`,
  );
}

/** Work on one chroot, after that of killed ones is undone; failures say what could not be done. */
async function locked(
  work: Work,
  name: ChrootName,
  verb: string,
  act: () => Promise<void>,
): Promise<void> {
  const { host, config: { store }, users, interrupt } = work;
  await sweep(host, store, users);
  try {
    await whileLocked(host, store, name, act);
  } catch (error) {
    if (!(error instanceof Failure) || error.message.includes(` chroot ${name}: `)) throw error;
    const reason = interrupt.aborted ? "interrupted" : lowered(error.message);
    throw new Failure(error.kind, `Cannot ${verb} chroot ${name}: ${reason}`, error.hint);
  }
}

function lowered(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1);
}
