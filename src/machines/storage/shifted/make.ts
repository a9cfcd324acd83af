/** Makes shifted layers. */

import { basename, dirname, join } from "@std/path/posix";
import { hostFailure } from "../../../failure.ts";
import type { Host, Lock } from "../../../host/host.ts";
import { removeStrangersTree } from "../../../linux/untrusted_tree.ts";
import { COUNT, RANGE } from "../../record/ids.ts";
import { firstIdOf, shiftedLayerPath, shiftedLayerLock, UNFINISHED_PREFIX } from "./layer.ts";
import { shiftArgv } from "./shift.ts";

/** A tree that a layer is made for. */
export interface ShiftedTree {
  readonly path: string;
  /** Whether it never changes in place, as a generation; another program's tree may. */
  readonly isFixed: boolean;
}

/**
 * Makes a layer, unless it is there: aside, and in one step into its place, so that one that was killed counts
 * for nothing. One whose tree was changed since is made anew. The caller's lease names the layer, so that no
 * machine has it.
 *
 * @param host The outside.
 * @param layer Its path.
 * @param tree What it is for.
 * @param interrupt Gives up when aborted.
 * @throws {Failure} of the host where it cannot be made.
 */
export async function makeShiftedLayer(
  host: Host,
  layer: string,
  tree: ShiftedTree,
  interrupt: AbortSignal,
): Promise<void> {
  const state = tree.isFixed ? "" : await fingerprintOf(host, tree.path);
  if (await isReady(host, layer, state)) return;
  await host.files.makeDirectory(dirname(layer));
  const lock = await waitForLock(host, layer, interrupt);
  try {
    if (await isReady(host, layer, state)) return; // another process was faster
    host.log.step(`Giving the files of ${tree.path} the owners of a machine, which takes a moment`);
    await removeUnfinished(host, layer);
    await makeAside(host, layer, tree, state, interrupt);
  } finally {
    await lock.remove();
  }
}

/** How many layers a new tree gets at once: as many machines start without waiting. */
const FIRST_LAYERS = 2;

/**
 * Makes the layers that the first machines of a tree need.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @param tree The tree, which never changes any more.
 * @param interrupt Gives up when aborted.
 */
export async function makeFirstShiftedLayers(
  host: Host,
  store: string,
  tree: string,
  interrupt: AbortSignal,
): Promise<void> {
  for (let slot = 0; slot < FIRST_LAYERS; slot++) {
    const layer = await shiftedLayerPath(host, store, tree, RANGE[0] + slot * COUNT);
    if (layer !== null) await makeShiftedLayer(host, layer, { path: tree, isFixed: true }, interrupt);
  }
}

/** In a layer, what its tree was like when it was made. */
const FINGERPRINT_FILE = "state";

async function isReady(host: Host, layer: string, state: string): Promise<boolean> {
  return await host.files.read(join(layer, FINGERPRINT_FILE)) === state;
}

/** Changes with each change of any file's content, name, owner or mode. */
async function fingerprintOf(host: Host, tree: string): Promise<string> {
  const { code, stdout, stderr } = await host.processes.capture(["sh", "-euc", FINGERPRINT_TREE, "sh", tree]);
  if (code !== 0) throw hostFailure(`Cannot read ${tree}: ${stderr.trim()}`);
  return stdout;
}

/** Words: a tree. The kernel sets the time of a file's last change, %C, and nobody else. */
const FINGERPRINT_TREE = `
cd "$1"
find . -xdev -printf '%i %C@ %p\\0' | sha256sum
`;

async function makeAside(
  host: Host,
  layer: string,
  tree: ShiftedTree,
  state: string,
  interrupt: AbortSignal,
): Promise<void> {
  const aside = join(dirname(layer), `${UNFINISHED_PREFIX}${basename(layer)}-${crypto.randomUUID()}`);
  await host.files.makeDirectory(aside);
  const argv = shiftArgv(aside, tree.path, firstIdOf(layer));
  const { code, stderr } = await host.processes.capture(argv, { signal: interrupt });
  if (interrupt.aborted) throw hostFailure("Cannot give files other owners: interrupted");
  if (code !== 0) {
    await removeUnfinished(host, layer);
    throw cannotShift(tree.path, stderr);
  }
  await host.files.write(join(aside, FINGERPRINT_FILE), state);
  // Renamed before it is on the disk, a power cut could leave files in it with owners of the host.
  await host.processes.capture(["sync", "--file-system", aside]);
  await removeStrangersTree(host, layer); // of a tree as it was
  await host.files.rename(aside, layer);
}

function cannotShift(tree: string, stderr: string): Error {
  return hostFailure(
    `Cannot give the files of ${tree} the owners of a machine: ${
      stderr.trim().split("\n").at(-1) || "no reason was given"
    }`,
    'It takes room on the store, and tar and cp that know extended attributes; private_users = "off" does without',
  );
}

/** What killed makings left; the caller holds the lock. One that still writes goes with a later one. */
async function removeUnfinished(host: Host, layer: string): Promise<void> {
  const folder = dirname(layer);
  for (const entry of await host.files.list(folder)) {
    if (!entry.startsWith(`${UNFINISHED_PREFIX}${basename(layer)}-`)) continue;
    await removeStrangersTree(host, join(folder, entry)).catch(() => {});
  }
}

/** Longest wait for another process that makes the same layer, in milliseconds. */
const LOCK_TIMEOUT = 300_000;

async function waitForLock(host: Host, layer: string, interrupt: AbortSignal): Promise<Lock> {
  const end = host.clock.now() + LOCK_TIMEOUT;
  while (!interrupt.aborted && host.clock.now() < end) {
    const lock = await host.files.lock(shiftedLayerLock(layer));
    if (lock !== null) return lock;
    await host.clock.sleep(100);
  }
  throw hostFailure(`Cannot make ${layer}: another process makes it`);
}
