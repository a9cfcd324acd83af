/**
 * Removes what interrupted pulls left in the library. After a power cut, a layer of such a pull may be damaged, and the
 * library would use it for later images.
 */

import { join } from "@std/path/posix";
import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { libraryImages, type LibraryLayer, libraryLayers } from "./library.ts";
import { type ImageId, imagePaths, isImageId, pullPaths } from "./paths.ts";
import { layoutImage, writeLayout } from "./layout.ts";
import { deleteLibraryImage, recordedHashes } from "./remove.ts";
import { inLibrary, libraryName, reasonIn, runSkopeo } from "./skopeo.ts";
import { whileLibraryLocked } from "./store_lock.ts";

/**
 * Marks a pull as begun in this boot. The first one of a boot removes what pulls of an earlier boot left. Waits until no
 * process removes images or layers, of which this pull could rely on one.
 *
 * @param boot The id of this boot.
 * @param interrupt Ends the wait when aborted.
 * @throws {Failure} of the host where something of an earlier boot stays, or when interrupted.
 */
export async function beginPull(
  host: Host,
  store: string,
  id: ImageId,
  boot: string,
  interrupt: AbortSignal,
): Promise<void> {
  await whileLibraryLocked(host, store, async () => {
    await repairAfterPowerCut(host, store, boot);
    await host.files.replace(pullPaths(store, id).boot, `${boot}\n`);
  }, interrupt);
}

async function repairAfterPowerCut(host: Host, store: string, boot: string): Promise<void> {
  const markers = await markersOfOtherBoots(host, store, boot);
  if (markers.length === 0) return;
  host.log.info("Removing leftovers of image pulls that a reboot of the host interrupted");
  await deleteUnrecorded(host, store);
  for (const marker of markers) await host.files.remove(marker);
}

async function markersOfOtherBoots(host: Host, store: string, boot: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await host.files.list(imagePaths(store).pulls)) {
    if (!isImageId(entry)) continue;
    const path = pullPaths(store, entry).boot;
    const text = await host.files.read(path);
    if (text !== null && text.trim() !== boot) found.push(path);
  }
  return found;
}

/**
 * Deletes images and layers of the library that no record names.
 *
 * @param pulls Images that are being pulled: what is younger than the first of these pulls stays, since it may be theirs. A
 *   pull that has found an older layer, and has not used it yet, copies the image again.
 */
export async function deleteUnrecorded(
  host: Host,
  store: string,
  pulls: readonly ImageId[] = [],
): Promise<void> {
  const began = await Promise.all(pulls.map((id) => beginOf(host, store, id)));
  const since = Math.min(...began);
  const layers = new Map((await libraryLayers(host, store)).map((layer) => [layer.id, layer]));
  const isOlder = (layer: LibraryLayer | undefined) =>
    since === Infinity || Date.parse(layer?.created ?? "") < since;
  const recorded = await recordedHashes(host, store);
  const own = new Set(pulls.map(libraryName));
  for (const { id, names = [], layer } of await libraryImages(host, store)) {
    if (recorded.has(id) || names.some((name) => own.has(name))) continue;
    if (isOlder(layers.get(layer ?? ""))) await deleteLibraryImage(host, store, id);
  }
  for (const chain of await looseChains(host, store)) {
    if (isOlder(chain.at(-1))) await deleteChain(host, store, chain);
  }
}

/** Returns when a pull began, in milliseconds since 1970; `Infinity` where it waits for the lock of the library. */
async function beginOf(host: Host, store: string, id: ImageId): Promise<number> {
  return (await host.files.lstat(pullPaths(store, id).boot))?.modified?.getTime() ?? Infinity;
}

/** Returns the layers that belong to no image: chains of them, each from its lowest layer to the top. */
async function looseChains(host: Host, store: string): Promise<LibraryLayer[][]> {
  const layers = new Map((await libraryLayers(host, store)).map((layer) => [layer.id, layer]));
  const chainOf = (top: string | undefined): LibraryLayer[] => {
    const layer = layers.get(top ?? "");
    return layer === undefined ? [] : [...chainOf(layer.parent), layer];
  };
  const used = new Set<string>();
  for (const { layer } of await libraryImages(host, store)) {
    for (const { id } of chainOf(layer)) used.add(id);
  }
  const parents = new Set([...layers.values()].map(({ parent }) => parent));
  const tops = [...layers.keys()].filter((id) => !used.has(id) && !parents.has(id));
  return tops.map(chainOf);
}

/** The name that such an image has in the library for a moment. */
const LOOSE = "loose";

/** skopeo deletes only layers of images: it first gets an image that is made of these layers alone. */
async function deleteChain(
  host: Host,
  store: string,
  chain: readonly LibraryLayer[],
): Promise<void> {
  const folder = join(imagePaths(store).folder, "loose");
  await host.files.removeTree(folder);
  const layers = chain.map((layer) => ({
    digest: layer["diff-digest"] ?? "",
    size: layer["diff-size"] ?? 0,
  }));
  const config = { architecture: "none", os: "linux", config: {} };
  const hash = await writeLayout(host, folder, config, layers);
  const words = ["copy", layoutImage(folder), inLibrary(store, LOOSE)];
  const { code, stderr } = await runSkopeo(host, words);
  if (code !== 0) {
    throw hostFailure(`Cannot remove layers that no image has: ${reasonIn(stderr)}`);
  }
  await deleteLibraryImage(host, store, hash);
  await host.files.removeTree(folder);
}
