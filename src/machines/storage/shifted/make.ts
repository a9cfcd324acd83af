/** Makes shifted layers: overlays with metadata-only copies of a chroot's files whose owners are shifted. */

import { basename, dirname, join } from "@std/path/posix";
import { hostFailure } from "../../../failure.ts";
import type { Host, Lock } from "../../../host/host.ts";
import { removeUntrustedTree } from "../../../linux/untrusted_tree.ts";
import { until } from "../../../linux/wait.ts";
import { firstIds } from "../../record/ids.ts";
import { type Lower, treeAsLower } from "../../record/lower.ts";
import { firstIdOf, shiftedLayerLock, shiftedLayerPath, UNFINISHED_PREFIX } from "./layer.ts";
import { shiftArgv } from "./shift.ts";

/** What a shifted layer is made for: the tree of a chroot, or a pulled image. */
export interface ShiftedTree {
  readonly path: string;
  readonly lower: Lower;
  /** Whether it never changes, as a generation does not. A tree that another program manages may change. */
  readonly isImmutable: boolean;
}

/**
 * Makes a shifted layer unless it exists, or makes it again where the tree was changed since.
 *
 * It is made beside its place and renamed at the end: an unfinished layer is never used. The caller's lease names
 * the layer, so that no other machine uses it.
 *
 * @throws {Failure} `host` where it cannot be made, or interrupt is aborted.
 */
export async function makeShiftedLayer(
  host: Host,
  layer: string,
  tree: ShiftedTree,
  interrupt: AbortSignal,
): Promise<void> {
  const fingerprint = tree.isImmutable ? "" : await fingerprintOf(host, tree.path);
  if (await isUpToDate(host, layer, fingerprint)) return;
  await host.files.makeDirectory(dirname(layer));
  const lock = await waitForLock(host, layer, interrupt);
  try {
    if (await isUpToDate(host, layer, fingerprint)) return; // another process was faster
    host.log.step(`Shifting the owners of the files in ${tree.path} to the ids of a machine`);
    await removeUnfinished(host, layer);
    await makeAside(host, layer, tree, fingerprint, interrupt);
  } finally {
    await lock.remove();
  }
}

/** As many machines of a new generation start without waiting for their shifted layer. */
const FIRST_LAYERS = 2;

/** Makes the shifted layers for the first machines of a new generation. */
export async function makeFirstShiftedLayers(
  host: Host,
  store: string,
  tree: string,
  interrupt: AbortSignal,
): Promise<void> {
  for (const ids of firstIds().take(FIRST_LAYERS)) {
    const layer = await shiftedLayerPath(host, store, tree, ids);
    if (layer !== null) {
      await makeShiftedLayer(host, layer, {
        path: tree,
        lower: treeAsLower(tree),
        isImmutable: true,
      }, interrupt);
    }
  }
}

/** A file in a shifted layer: the fingerprint of its tree at the time; empty for a tree that never changes. */
const FINGERPRINT_FILE = "state";

async function isUpToDate(host: Host, layer: string, fingerprint: string): Promise<boolean> {
  return await host.files.read(join(layer, FINGERPRINT_FILE)) === fingerprint;
}

/** Returns a hash that changes whenever the content, name, owner or mode of any file changes. */
async function fingerprintOf(host: Host, tree: string): Promise<string> {
  const { code, stdout, stderr } = await host.processes.capture([
    "sh",
    "-euc",
    FINGERPRINT_SCRIPT,
    "sh",
    tree,
  ]);
  if (code !== 0) throw hostFailure(`Cannot read ${tree}: ${stderr.trim()}`);
  return stdout;
}

/** Argument: a tree. %C is the time of a file's last change, which only the kernel sets. */
export const FINGERPRINT_SCRIPT = `
cd "$1"
find . -xdev -printf '%i %C@ %p\\0' | sha256sum
`;

async function makeAside(
  host: Host,
  layer: string,
  tree: ShiftedTree,
  fingerprint: string,
  interrupt: AbortSignal,
): Promise<void> {
  const aside = join(
    dirname(layer),
    `${UNFINISHED_PREFIX}${basename(layer)}-${crypto.randomUUID()}`,
  );
  await host.files.makeDirectory(aside);
  const argv = shiftArgv(aside, tree.lower, firstIdOf(layer));
  const { code, stderr } = await host.processes.capture(argv, { signal: interrupt });
  if (interrupt.aborted) {
    throw hostFailure(`Cannot shift the owners of the files in ${tree.path}: interrupted`);
  }
  if (code !== 0) {
    await removeUnfinished(host, layer);
    throw cannotShift(tree.path, stderr);
  }
  await host.files.write(join(aside, FINGERPRINT_FILE), fingerprint);
  // Without sync, a power cut after the rename could leave files whose owners are not shifted.
  await host.processes.capture(["sync", "--file-system", aside]);
  await removeUntrustedTree(host, layer); // the layer of the tree before its change
  await host.files.rename(aside, layer);
}

function cannotShift(tree: string, stderr: string): Error {
  const reason = stderr.trim().split("\n").at(-1) || "no reason was given";
  return hostFailure(
    `Cannot shift the owners of the files in ${tree}: ${reason}`,
    "Free space on the store, install GNU tar and cp with support for extended attributes, " +
      'or set private_users = "off"',
  );
}

/** Removes unfinished layers; the caller holds the lock. A later call removes one that is still written to. */
async function removeUnfinished(host: Host, layer: string): Promise<void> {
  const folder = dirname(layer);
  for (const entry of await host.files.list(folder)) {
    if (!entry.startsWith(`${UNFINISHED_PREFIX}${basename(layer)}-`)) continue;
    await removeUntrustedTree(host, join(folder, entry)).catch(() => {});
  }
}

/** Longest wait for another process that makes the same layer, in milliseconds. */
const LOCK_TIMEOUT = 300_000;

async function waitForLock(host: Host, layer: string, interrupt: AbortSignal): Promise<Lock> {
  const wait = { timeout: LOCK_TIMEOUT, interval: 100, signal: interrupt };
  const lock = await until(host, wait, () => host.files.lock(shiftedLayerLock(layer)));
  if (lock !== null) return lock;
  throw hostFailure(`Cannot make ${layer}: another process is still making it`);
}
