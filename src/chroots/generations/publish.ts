/** Makes a tree the current generation of its chroot; adopts directories that other programs made. */

import { basename, join } from "@std/path/posix";
import { type ChrootName, isChrootName } from "../../config/chroot_name.ts";
import type { Host } from "../../host/host.ts";
import { until } from "../../linux/wait.ts";
import { ChrootFailure } from "./chroot_failure.ts";
import type { ChrootContext } from "./context.ts";
import { type ChrootMachine, machinesOf } from "./chroot_machines.ts";
import { chrootPaths, generationsFolder } from "./paths.ts";
import { prune } from "./prune.ts";
import {
  currentNumber,
  generationNumbers,
  generationPath,
  type GenerationRecord,
  linkTarget,
  writeRecord,
} from "./record.ts";

/**
 * Makes the tree in a chroot's build folder its current generation, in one step, and removes
 * generations beyond `keep_generations`. The caller holds the chroot's lock.
 *
 * @returns The generation's number.
 */
export async function addGeneration(
  context: ChrootContext,
  name: ChrootName,
  record: Omit<GenerationRecord, "version" | "previous">,
): Promise<number> {
  const { host, config: { store } } = context;
  const { generations, tree } = chrootPaths(store, name);
  await host.files.makeDirectory(generations);
  // An image may hold a set-uid program, which no user of this host is to reach.
  await host.files.chmod(generationsFolder(store), 0o700);
  await adoptDirectory(context, name);
  const previous = await currentNumber(host, store, name);
  const number = ((await generationNumbers(host, store, name)).at(-1) ?? 0) + 1;
  await writeRecord(host, store, name, number, { version: 1, ...record, previous });
  await host.files.rename(tree, generationPath(store, name, number));
  await switchTo(host, store, name, number);
  await prune(context, name);
  return number;
}

/** Makes an existing generation current, in one step. The caller holds the chroot's lock. */
export async function switchTo(
  host: Host,
  store: string,
  name: ChrootName,
  number: number,
): Promise<void> {
  const { path, generations } = chrootPaths(store, name);
  const newLink = join(generations, ".link");
  await host.files.remove(newLink);
  await host.files.symlink(linkTarget(name, number), newLink);
  await host.files.rename(newLink, path);
}

/**
 * Longest wait for machines that are being started from a directory that is to move, in
 * milliseconds.
 */
const STARTING_TIMEOUT = 60_000;

/** Makes a directory that another program made generation 0. */
async function adoptDirectory(
  { host, config: { store }, machines }: ChrootContext,
  name: ChrootName,
): Promise<void> {
  const { path } = chrootPaths(store, name);
  if ((await host.files.lstat(path))?.kind !== "directory") return;
  let starting: readonly ChrootMachine[] = [];
  const moveUnlessStarting = async () => {
    const all = await machinesOf(host, store, machines, name);
    starting = all.filter((machine) => machine.starting);
    if (starting.length > 0) return false;
    // Between these two steps findTree() falls back to the newest generation.
    await host.files.rename(path, generationPath(store, name, 0));
    await switchTo(host, store, name, 0);
    return true;
  };
  const wait = { timeout: STARTING_TIMEOUT, interval: 100 };
  const isMoved = await until(host, wait, () => machines.whileNoneStarts(moveUnlessStarting));
  if (!isMoved) throw stillStarting(name, starting);
}

function stillStarting(name: ChrootName, starting: readonly ChrootMachine[]): Error {
  const machines = starting.map(({ machine }) => machine).join(", ");
  return new ChrootFailure(
    "host",
    name,
    `Cannot move the tree of chroot ${name}: machines start from it just now: ${machines}`,
    "Try again. If they are stuck, end them: nspawn-runner gc",
  );
}

/**
 * Returns where the tree that a machine was started from is now. It was moved if it was a directory of another program
 * and has become generation 0 meanwhile.
 *
 * @param path The tree's path when the machine was started.
 */
export async function locateTree(host: Host, store: string, path: string): Promise<string> {
  const name = basename(path);
  const isMoved = (await host.files.lstat(path))?.kind !== "directory" && isChrootName(name);
  return isMoved ? generationPath(store, name, 0) : path;
}
