/** Which images are kept: those of the last days, and of the others the most recently used ones. */

import type { Host } from "../../host/host.ts";
import { formatSize } from "../../text/size.ts";
import type { ImageId } from "./paths.ts";
import { listImages, readRecord, type StoredImage, type StoredLayer } from "./record.ts";
import { removeImage, usersOf } from "./remove.ts";

/** How much is kept, and for how long. */
export interface ImageRetention {
  /** Bytes of all images together. */
  readonly size: number;
  /** Seconds for which an unused image is kept. */
  readonly age: number;
}

/** An image that is not kept. */
export interface UnkeptImage {
  readonly id: ImageId;
  /** Its name, for a message. */
  readonly name: string;
  /** The reason, for a message. */
  readonly reason: string;
}

/** Milliseconds for which an image stays after its last use: the machine that uses it may have no lease yet. */
const GRACE = 600_000;

/** Returns the images that the policy does not keep, the least recently used one first. */
export async function unkeptImages(
  host: Host,
  store: string,
  { size, age }: ImageRetention,
): Promise<UnkeptImage[]> {
  const unkept: UnkeptImage[] = [];
  const kept = new Map<string, number>();
  const now = host.clock.now();
  for (const image of (await listImages(host, store)).reverse()) {
    const unused = now - Date.parse(image.used);
    const layers = await layersOf(host, store, image);
    const total = sum(new Map([...kept, ...layers]));
    const isOld = unused > age * 1000;
    const isKept = unused < GRACE || (!isOld && total <= size) ||
      (await usersOf(host, store, image.id)).length > 0;
    if (isKept) {
      for (const [path, bytes] of layers) kept.set(path, bytes);
      continue;
    }
    const days = Math.floor(unused / 86_400_000);
    const reason = isOld
      ? `unused for ${days} days (images_max_age)`
      : `${formatSize(image.size)}; newer images already fill images_max_size`;
    unkept.push({ id: image.id, name: nameOf(image), reason });
  }
  return unkept.reverse();
}

/** Returns a name of an image for people. */
export function nameOf({ names: [name], digest }: StoredImage): string {
  return name ?? digest;
}

/** Returns the bytes of all images of a store: layers that several of them share count once. */
export async function totalSize(
  host: Host,
  store: string,
  images: readonly StoredImage[],
): Promise<number> {
  const all = new Map<string, number>();
  for (const image of images) {
    for (const [path, bytes] of await layersOf(host, store, image)) all.set(path, bytes);
  }
  return sum(all);
}

/** Returns the bytes of each layer by what identifies it in the store. */
async function layersOf(
  host: Host,
  store: string,
  { id, size }: StoredImage,
): Promise<Map<string, number>> {
  const layers: readonly StoredLayer[] = (await readRecord(host, store, id))?.layers ?? [];
  if (layers.length === 0) return new Map([[id, size]]);
  return new Map(layers.map(({ path, size }) => [path, size]));
}

function sum(sizes: ReadonlyMap<string, number>): number {
  return [...sizes.values()].reduce((total, bytes) => total + bytes, 0);
}

/**
 * Removes images that no machine uses, the least recently used one first, until enough disk is free.
 *
 * @param isEnough Asked before each removal.
 */
export async function evictImages(
  host: Host,
  store: string,
  isEnough: () => Promise<boolean>,
  interrupt: AbortSignal,
): Promise<void> {
  for (const image of await listImages(host, store)) {
    const isNew = host.clock.now() - Date.parse(image.used) < GRACE;
    if (isNew || (await usersOf(host, store, image.id)).length > 0) continue;
    if (interrupt.aborted || await isEnough()) return;
    host.log.info(`Removing image ${nameOf(image)}: disk space is short (disk_reserve)`);
    await removeImage(host, store, image.id, interrupt);
  }
}
