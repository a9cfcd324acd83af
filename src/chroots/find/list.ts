/** Lists chroots and definitions. */

import { type ChrootName, isChrootName } from "../../config/chroot_name.ts";
import type { Config } from "../../config/settings.ts";
import { Failure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { definedNames } from "../definition/defined_names.ts";
import { findDefinition, type FoundDefinition } from "../definition/find_definition.ts";
import { findPlaybook } from "../definition/playbook.ts";
import { isLocked } from "../generations/lock.ts";
import { buildsFolder, chrootPaths } from "../generations/paths.ts";
import { currentNumber, generationNumbers, readRecord } from "../generations/record.ts";
import { findTree } from "./lookup.ts";

/** A chroot, or a definition whose chroot is not built yet. */
export interface ChrootEntry {
  readonly name: ChrootName;
  /**
   * - `ready`: machines can start from it
   * - `building`: a process builds it
   * - `defined`: it has a definition or a playbook, and is not built yet
   * - `invalid`: its definition or its playbook cannot be used, so that no machine starts from it
   */
  readonly state: "ready" | "building" | "defined" | "invalid";
  /** Why it is invalid; null in other states. */
  readonly reason: string | null;
  /** What it was made from, else what it would be made from; null where that is unknown. */
  readonly origin: string | null;
  /** The current generation; null for a tree that another program made. */
  readonly generation: number | null;
  /** All generations, the oldest first. */
  readonly generations: readonly number[];
  /** The digest of the image that it was made from; null for other sources. */
  readonly digest: string | null;
  /** Bytes on disk when it was made; null for a tree that another program made. */
  readonly size: number | null;
  /** When it was made or updated, as ISO 8601; null for a tree that another program made. */
  readonly made: string | null;
  /** Where it is or is to be. */
  readonly path: string;
  /** Whether it has a definition or a playbook. */
  readonly defined: boolean;
}

/**
 * Lists all chroots and definitions, one entry a name, sorted by name. A missing folder counts as
 * empty.
 */
export async function listChroots(host: Host, config: Config): Promise<ChrootEntry[]> {
  const defined = await definedNames(host, config);
  const building = (await host.files.list(buildsFolder(config.store))).filter(isChrootName);
  const names = new Set([...await readyNames(host, config), ...defined, ...building]);
  const entries: ChrootEntry[] = [];
  for (const name of [...names].sort()) {
    const isDefined = defined.has(name);
    const state = await stateOf(host, config, name, building.includes(name));
    // The leftover of a killed build is no chroot.
    if (state === "defined" && !isDefined) continue;
    entries.push(await entryOf(host, config, name, state, isDefined));
  }
  return entries;
}

async function entryOf(
  host: Host,
  config: Config,
  name: ChrootName,
  state: ChrootEntry["state"],
  isDefined: boolean,
): Promise<ChrootEntry> {
  const { store } = config;
  const generation = await currentNumber(host, store, name);
  const record = generation === null ? null : await readRecord(host, store, name, generation);
  const { origin, reason } = isDefined
    ? await readDefined(host, config, name)
    : { origin: null, reason: null };
  return {
    name,
    state: reason === null || state === "building" ? state : "invalid",
    reason: state === "building" ? null : reason,
    origin: record?.origin ?? (state === "ready" ? null : origin),
    generation,
    generations: await generationNumbers(host, store, name).catch(() => []),
    digest: record?.pin?.startsWith("sha256:") ? record.pin : null,
    size: record?.size ?? null,
    made: record?.made ?? null,
    path: chrootPaths(store, name).path,
    defined: isDefined,
  };
}

async function stateOf(
  host: Host,
  { store }: Config,
  name: ChrootName,
  isBuilding: boolean,
): Promise<"ready" | "building" | "defined"> {
  if (await isReady(host, store, name)) return "ready";
  return isBuilding && await isLocked(host, store, name) ? "building" : "defined";
}

async function isReady(host: Host, store: string, name: ChrootName): Promise<boolean> {
  const tree = await findTree(host, store, name).catch(() => undefined);
  // Only root may look into generations, but every user may read the symlink to one.
  return tree === undefined ? await currentNumber(host, store, name) !== null : tree !== null;
}

/**
 * Reads what a definition and a playbook name as the origin, and why they cannot be used where that
 * is so.
 */
async function readDefined(
  host: Host,
  config: Config,
  name: ChrootName,
): Promise<Pick<ChrootEntry, "origin" | "reason">> {
  let origin: string | null = null;
  try {
    const found = await findDefinition(host, config, name);
    origin = originIn(found);
    const playbook = await findPlaybook(withoutWarnings(host), config, name, found);
    return { origin: origin ?? playbook?.suite ?? null, reason: null };
  } catch (error) {
    // Any other error is this user's lack of permission, and not a fault of the definition.
    const [reason = null] = error instanceof Failure ? error.message.split("\n") : [];
    return { origin, reason };
  }
}

function originIn(found: FoundDefinition | null): string | null {
  const { source, suite, extends: base } = found?.definition.build ?? {};
  return source ?? (base === undefined ? suite : `extends:${base}`) ?? null;
}

/** A list does not repeat the warnings that each use of a playbook logs. */
function withoutWarnings(host: Host): Host {
  return { ...host, log: { ...host.log, warn() {} } };
}

async function readyNames(host: Host, { store }: Config): Promise<ChrootName[]> {
  const names: ChrootName[] = [];
  for (const name of await host.files.list(store)) {
    if (isChrootName(name) && await isReady(host, store, name)) names.push(name);
  }
  return names;
}
