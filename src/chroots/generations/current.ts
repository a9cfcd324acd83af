/** Which generation of a chroot is current, and which ones stay. */

import { basename, join } from "@std/path/posix";
import { hostFailure, messageOf, refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import {
  currentNumber,
  generationNumbers,
  generationPath,
  type GenerationRecord,
  linkTarget,
  readRecord,
  recordPath,
  writeRecord,
} from "./record.ts";
import { type ChrootName, isChrootName } from "../../config/chroot_name.ts";
import { chrootPlaces, generationsFolder, removalPath } from "./places.ts";
import { removeTrees } from "../../linux/tree.ts";
import { type ChrootMachine, machinesOf } from "./machines_port.ts";
import type { ChrootContext } from "./context.ts";

/**
 * Makes a complete tree the current generation of a chroot, in one step; older ones than
 * `keep_generations` go, but for those that a machine uses. The caller holds the chroot's lock.
 *
 * @param work How it is worked.
 * @param name The chroot; its tree is where trees are made.
 * @param made What is known of it.
 * @returns Its number.
 */
export async function addGeneration(
  work: ChrootContext,
  name: ChrootName,
  made: Omit<GenerationRecord, "version" | "previous">,
): Promise<number> {
  const { host, config: { store } } = work;
  const { generations, tree } = chrootPlaces(store, name);
  await host.files.makeDirectory(generations);
  // A stranger's image may hold a set-uid program, which nobody of this host is to reach.
  await host.files.chmod(generationsFolder(store), 0o700);
  await adopt(work, name);
  const previous = await currentNumber(host, store, name);
  const number = ((await generationNumbers(host, store, name)).at(-1) ?? 0) + 1;
  await writeRecord(host, store, name, number, { version: 1, ...made, previous });
  await host.files.rename(tree, generationPath(store, name, number));
  await switchTo(host, store, name, number);
  await prune(work, name);
  return number;
}

/**
 * Makes a generation current, in one step.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @param name The chroot.
 * @param number Which, and it is there.
 */
export async function switchTo(
  host: Host,
  store: string,
  name: ChrootName,
  number: number,
): Promise<void> {
  const { path, generations } = chrootPlaces(store, name);
  const aside = join(generations, ".link");
  await host.files.remove(aside);
  await host.files.symlink(linkTarget(name, number), aside);
  await host.files.rename(aside, path);
}

/** Longest wait for machines that are being started from a tree that is to move, in milliseconds. */
const PATIENCE = 60_000;

/** A directory that another program made becomes generation zero. */
async function adopt(
  { host, config: { store }, machines: users }: ChrootContext,
  name: ChrootName,
): Promise<void> {
  const { path } = chrootPlaces(store, name);
  if ((await host.files.lstat(path))?.kind !== "directory") return;
  const end = host.clock.now() + PATIENCE;
  for (;;) {
    const starting = await users.whileNoneStarts(async () => {
      const found = (await machinesOf(host, store, users, name)).filter(({ starting }) => starting);
      if (found.length > 0) return found;
      await host.files.rename(path, generationPath(store, name, 0));
      await switchTo(host, store, name, 0); // until then, whoever looks finds it among generations
      return [];
    });
    if (starting.length === 0) return;
    if (host.clock.now() >= end) throw stillStarting(name, starting);
    await host.clock.sleep(100);
  }
}

function stillStarting(name: ChrootName, starting: readonly ChrootMachine[]): Error {
  const machines = starting.map(({ machine }) => machine).join(", ");
  return hostFailure(
    `Cannot move the tree of chroot ${name}: ${machines} starts from it`,
    "Where it does not start for real any more: nspawn-runner gc",
  );
}

/** Generations that are in the way of nobody leave. */
async function prune(
  { host, config, machines: users }: ChrootContext,
  name: ChrootName,
): Promise<void> {
  const { store } = config;
  const leaving = removalPath(store, name, host.clock.now());
  await users.whileNoneStarts(async () => {
    const kept = await keptNumbers(host, store, name, config.keep_generations);
    const all = await users.list();
    for (const number of await generationNumbers(host, store, name)) {
      if (kept.has(number)) continue;
      const path = generationPath(store, name, number);
      const user = await userOf(host, store, name, number, all);
      if (user !== undefined) {
        host.log.step(`Generation ${number} of ${name} is kept for ${user.machine}`);
        continue;
      }
      await host.files.makeDirectory(leaving);
      await host.files.rename(path, join(leaving, `${number}`));
      await host.files.remove(recordPath(store, name, number));
    }
  });
  // The new one is current, whatever becomes of the old ones: the next sweep tries again.
  await removeTrees(host, leaving).catch((error) => host.log.warn(messageOf(error)));
}

/** The current one, the one before it, and so on. */
async function keptNumbers(
  host: Host,
  store: string,
  name: ChrootName,
  count: number,
): Promise<Set<number>> {
  const kept = new Set<number>();
  const numbers = await generationNumbers(host, store, name);
  let number = await currentNumber(host, store, name);
  while (number !== null && kept.size < count && !kept.has(number)) {
    kept.add(number);
    const record = await readRecord(host, store, name, number);
    number = record === null ? below(numbers, number) : record.previous;
  }
  return kept;
}

/** Where a record is damaged, the next smaller number is the best guess. */
function below(numbers: readonly number[], number: number): number | null {
  return numbers.filter((one) => one < number).at(-1) ?? null;
}

/** Who uses a generation: by its path, or by the one that it had before it became a generation. */
async function userOf(
  host: Host,
  store: string,
  name: ChrootName,
  number: number,
  all: readonly ChrootMachine[],
): Promise<ChrootMachine | undefined> {
  const paths = [await host.files.real(generationPath(store, name, number))];
  if (number === 0) paths.push(join(await host.files.real(store) ?? store, name));
  return all.find(({ chroot }) => paths.includes(chroot.path));
}

/**
 * Goes back to an earlier generation of a chroot. The caller holds the chroot's lock.
 *
 * @param work How it is worked.
 * @param name The chroot.
 * @param wanted Which one; the one before the current one where undefined.
 * @returns Its number.
 * @throws {Failure} where there is none.
 */
export async function rollBack(
  { host, config: { store } }: ChrootContext,
  name: ChrootName,
  wanted: number | undefined,
): Promise<number> {
  const current = await currentNumber(host, store, name);
  const numbers = await generationNumbers(host, store, name);
  if (current === null) {
    throw refused(
      `Cannot roll back chroot ${name}: it has no generations`,
      "Its tree is another program's, or yours; maintenance of a directory makes the first",
    );
  }
  const number = wanted ?? await earlier(host, store, name, current);
  if (number === null || !numbers.includes(number)) {
    throw refused(
      wanted === undefined
        ? `Cannot roll back chroot ${name}: there is no earlier generation`
        : `Cannot roll back chroot ${name}: there is no generation ${wanted}`,
      thereAre(numbers, current),
    );
  }
  if (number === current) {
    throw refused(
      `Cannot roll back chroot ${name}: ${number} is current already`,
      thereAre(numbers, current),
    );
  }
  await switchTo(host, store, name, number);
  return number;
}

async function earlier(
  host: Host,
  store: string,
  name: ChrootName,
  current: number,
): Promise<number | null> {
  return (await readRecord(host, store, name, current))?.previous ?? null;
}

function thereAre(numbers: readonly number[], current: number): string {
  return `There are: ${numbers.join(", ")}; ${current} is current`;
}

/**
 * Where a tree is by now that a machine started from.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @param path Where it was.
 * @returns Its path: a directory of another program may have become generation zero since.
 */
export async function locateTree(
  host: Host,
  store: string,
  path: string,
): Promise<string> {
  const name = basename(path);
  const isMoved = (await host.files.lstat(path))?.kind !== "directory" && isChrootName(name);
  return isMoved ? generationPath(store, name, 0) : path;
}
