/** Makes chroots, and makes them anew. */

import { settingsFor } from "../config/load.ts";
import type { Config, MachineSettings } from "../config/settings.ts";
import { Failure, refused } from "../failure.ts";
import type { Host } from "../host/host.ts";
import { PLAYER, runPlaybook } from "./ansible.ts";
import { fillTree, finishTree } from "./bootstrap.ts";
import { findDefinition } from "./definition.ts";
import { whileLocked } from "./lock.ts";
import type { ChrootName } from "./name.ts";
import { type ChrootPlaces, chrootPlaces } from "./places.ts";
import { findPlaybook, type Playbook } from "./playbook.ts";
import { readRecord, writeRecord } from "./record.ts";
import { chooseSuite, chooseTool, refuseUnproved } from "./suite.ts";
import { requireProgram } from "./tool.ts";
import { copyTree, makeTree, sizeOfTree } from "./tree.ts";
import type { Users } from "./users.ts";
import { makeAside, refuseForeign, sweep } from "./making.ts";

/** What every work on a chroot needs to know. */
export interface Work {
  readonly host: Host;
  readonly config: Config;
  readonly users: Users;
  /** Gives up when aborted; what there was stays as it was. */
  readonly interrupt: AbortSignal;
}

/** How a chroot is made. */
export interface Recipe {
  readonly definedSuite: string | undefined;
  readonly settings: MachineSettings;
  readonly playbook: Playbook | null;
}

/**
 * How a chroot is made.
 *
 * @param work The outside, and where definitions are.
 * @param name The chroot.
 * @returns What its definition and its playbook say.
 * @throws {Failure} where the definition holds what it may not.
 */
export async function readRecipe({ host, config }: Work, name: ChrootName): Promise<Recipe> {
  const found = await findDefinition(host, config, name);
  return {
    definedSuite: found?.definition.suite,
    settings: settingsFor(config, found?.definition ?? null),
    playbook: await findPlaybook(host, config, name, found?.folder),
  };
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
    await build(work, name, await readRecipe(work, name), { option: suite });
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
    await build(work, name, await readRecipe(work, name), { record: record?.suite });
  });
}

/**
 * Runs a chroot's playbook on a copy of it, which then takes its place.
 *
 * @param work How it is worked.
 * @param name The chroot.
 * @param playbook Its playbook.
 * @throws {Failure} where the playbook fails.
 */
export async function updateChroot(
  work: Work,
  name: ChrootName,
  playbook: Playbook,
): Promise<void> {
  const { host, config: { store }, users, interrupt } = work;
  await locked(work, name, "update", async () => {
    await refuseForeign(host, store, name, "update");
    await requireProgram(host, PLAYER);
    const record = await readRecord(host, store, name);
    await makeAside(host, store, name, users, async (places) => {
      await copyTree(host, places.path, places.tree, interrupt);
      await runPlaybook(host, name, places.tree, playbook.path, interrupt);
      await finishTree(host, places.tree);
      if (record !== null) await recordMaking(work, name, record.suite, places);
    });
  });
}

async function build(
  work: Work,
  name: ChrootName,
  { definedSuite, settings, playbook }: Recipe,
  who: { readonly option?: string | undefined; readonly record?: string | undefined },
): Promise<void> {
  const { host, config: { store }, users, interrupt } = work;
  const sources = { ...who, definition: definedSuite, playbook: playbook?.suite };
  const suite = await chooseSuite(host, name, sources);
  const tool = await chooseTool(host, settings.tool);
  if (playbook !== null) await requireProgram(host, PLAYER);
  if (settings.mirror === undefined) await refuseUnproved(host, suite.name);
  host.log.info(`Making chroot ${name} with ${tool} from ${suite.name}, ${suite.because}`);
  await makeAside(host, store, name, users, async (places) => {
    await makeTree(host, places.tree);
    const bootstrap = { suite: suite.name, tool, mirror: settings.mirror };
    await fillTree(host, bootstrap, places, interrupt);
    if (playbook !== null) {
      await runPlaybook(host, name, places.tree, playbook.path, interrupt);
    }
    await finishTree(host, places.tree);
    await recordMaking(work, name, suite.name, places);
  });
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
