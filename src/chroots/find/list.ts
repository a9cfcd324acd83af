/** What chroots and definitions there are. */

import type { Config } from "../../config/settings.ts";
import { refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { findDefinition } from "../definition/definition.ts";
import { findTree } from "./lookup.ts";
import { currentNumber, generationNumbers, readRecord } from "../generations/record.ts";
import { isLocked } from "../generations/lock.ts";
import { type ChrootName, isChrootName, namesOfImage } from "../../config/chroot_name.ts";
import { buildsFolder, chrootPlaces } from "../generations/places.ts";
import { findPlaybook, PLAYBOOK_ENDINGS } from "../definition/playbook.ts";

/** One chroot, or what is to become one. */
export interface ChrootEntry {
  readonly name: ChrootName;
  /** Whether machines can start from it, or somebody makes it, or it is only defined. */
  readonly state: "ready" | "building" | "defined";
  /** What it was made from, else what it would be made from; null where nobody says. */
  readonly origin: string | null;
  /** The current generation; null for a tree that is none of ours. */
  readonly generation: number | null;
  /** All generations that there are, the oldest first. */
  readonly generations: readonly number[];
  /** The digest of the image that it was made from; null where it was none. */
  readonly digest: string | null;
  /** Bytes on disk when it was made; null where another program made it. */
  readonly size: number | null;
  /** When it was made or brought up to date, as ISO 8601; null as with size. */
  readonly made: string | null;
  /** Where it is or is to be. */
  readonly path: string;
  /** Whether a definition or a playbook says how it is made. */
  readonly defined: boolean;
}

/**
 * All chroots and definitions.
 *
 * @param host The outside.
 * @param config Where they are; folders that do not exist are empty.
 * @returns One entry a name, sorted by name.
 */
export async function listChroots(host: Host, config: Config): Promise<ChrootEntry[]> {
  const defined = await definedNames(host, config);
  const making = (await host.files.list(buildsFolder(config.store))).filter(isChrootName);
  const names = new Set([...await readyNames(host, config), ...defined, ...making]);
  const entries: ChrootEntry[] = [];
  for (const name of [...names].sort()) {
    const state = await stateOf(host, config, name, making.includes(name));
    // What a killed process left is not there at all.
    if (state === "defined" && !defined.has(name)) continue;
    entries.push(await entryOf(host, config, name, state, defined.has(name)));
  }
  return entries;
}

async function entryOf(
  host: Host,
  config: Config,
  name: ChrootName,
  state: ChrootEntry["state"],
  defined: boolean,
): Promise<ChrootEntry> {
  const { store } = config;
  const { path } = chrootPlaces(store, name);
  const generation = await currentNumber(host, store, name);
  const record = generation === null ? null : await readRecord(host, store, name, generation);
  return {
    name,
    state,
    origin: record?.origin ??
      (defined && state !== "ready" ? await definedOrigin(host, config, name) : null),
    generation,
    generations: await generationNumbers(host, store, name).catch(() => []),
    digest: record?.pin?.startsWith("sha256:") ? record.pin : null,
    size: record?.size ?? null,
    made: record?.made ?? null,
    path,
    defined,
  };
}

async function stateOf(
  host: Host,
  { store }: Config,
  name: ChrootName,
  making: boolean,
): Promise<ChrootEntry["state"]> {
  if (await isReady(host, store, name)) return "ready";
  return making && await isLocked(host, store, name) ? "building" : "defined";
}

/** A list shows what is wrong nowhere: that is said to whoever uses it. */
async function isReady(host: Host, store: string, name: ChrootName): Promise<boolean> {
  const tree = await findTree(host, store, name).catch(() => undefined);
  // Nobody but root may look into generations; the link to one is for all to see.
  return tree === undefined ? await currentNumber(host, store, name) !== null : tree !== null;
}

async function definedOrigin(host: Host, config: Config, name: ChrootName): Promise<string | null> {
  const found = await findDefinition(host, config, name).catch(() => null);
  const { source, suite, extends: base } = found?.definition.build ?? {};
  const own = source ?? (base === undefined ? suite : `extends:${base}`);
  if (own !== undefined) return own;
  return (await findPlaybook(host, config, name, found).catch(() => null))?.suite ?? null;
}

async function readyNames(host: Host, { store }: Config): Promise<ChrootName[]> {
  const names: ChrootName[] = [];
  for (const name of await host.files.list(store)) {
    if (isChrootName(name) && await isReady(host, store, name)) names.push(name);
  }
  return names;
}

/**
 * The names of all definitions and playbooks.
 *
 * @param host The outside.
 * @param config Where they are.
 * @returns Each name once.
 */
export async function definedNames(host: Host, config: Config): Promise<Set<ChrootName>> {
  const names = new Set<ChrootName>();
  for (const folder of [config.definitions, config.store]) {
    for (const file of await host.files.list(folder)) {
      const ending = [".toml", ...PLAYBOOK_ENDINGS].find((ending) => file.endsWith(ending));
      const name = ending === undefined ? "" : file.slice(0, -ending.length);
      if (!isChrootName(name)) continue;
      if ((await host.files.stat(`${folder}/${file}`))?.kind === "file") names.add(name);
    }
  }
  return names;
}

/**
 * Says that an image means no chroot, and what there is instead.
 *
 * @param host The outside.
 * @param config Where chroots and definitions are.
 * @param image As it was written.
 * @param lists Which chroots may be named.
 * @returns The failure, to be thrown.
 */
export async function unknownImage(
  host: Host,
  config: Config,
  image: string,
  lists: (name: string) => boolean = () => true,
): Promise<Error> {
  const entries = (await listChroots(host, config)).filter(({ name }) => lists(name));
  const wanted = namesOfImage(image);
  const defined = entries.find(({ name }) => wanted.includes(name))?.name;
  return refused(
    `Cannot use image ${JSON.stringify(image)}: no such chroot`,
    `${thereAre(entries)}. Make it: nspawn-runner chroot-create ${defined ?? wanted[0]}`,
  );
}

/**
 * Says that jobs may not use an image, and which ones they may.
 *
 * @param host The outside.
 * @param config Where chroots are.
 * @param image As it was written.
 * @param allows Which chroots jobs may use.
 * @returns The failure, to be thrown.
 */
export async function deniedImage(
  host: Host,
  config: Config,
  image: string,
  allows: (name: string) => boolean,
): Promise<Error> {
  const entries = (await listChroots(host, config)).filter(({ name }) => allows(name));
  return refused(
    `Cannot use image ${JSON.stringify(image)}: jobs may not use that chroot on this host`,
    entries.length === 0
      ? "They may use none that is here: allowed_images in the configuration says which"
      : `${thereAre(entries)}. allowed_images in the configuration says which`,
  );
}

function thereAre(entries: readonly ChrootEntry[]): string {
  const ready = entries.filter(({ state }) => state === "ready").map(({ name }) => name);
  return ready.length === 0 ? "There is none yet" : `There are: ${ready.join(", ")}`;
}
