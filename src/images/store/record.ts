/** The records of pulled images: what a job needs to know is read from them, without the library that keeps layers. */

import { join } from "@std/path/posix";
import type { Host } from "../../host/host.ts";
import { type Lower, treeAsLower } from "../../machines/record/lower.ts";
import type { PulledImageConfig } from "./image_config.ts";
import {
  factsPath,
  type ImageId,
  imageId,
  imagePaths,
  isImageId,
  namePath,
  recordPath,
} from "./paths.ts";

/** A layer of a pulled image. */
export interface StoredLayer {
  /** Its path in the folder of layers. */
  readonly path: string;
  /** Bytes of its files. */
  readonly size: number;
}

/** What is recorded of a pulled image. */
export interface ImageRecord {
  readonly version: 1;
  /** The digest that the registry has for it: of a manifest, or of a list of manifests. */
  readonly digest: string;
  /** The platform that was asked for; null for the host's own. */
  readonly asked: string | null;
  /** The platform for which it was made, as `linux/amd64`. */
  readonly platform: string;
  /** The hash of its configuration, by which the library knows it; null where it is a whole tree. */
  readonly library: string | null;
  /** The top layer first; none where it is a whole tree. */
  readonly layers: readonly StoredLayer[];
  readonly config: PulledImageConfig;
  /** Bytes of its files. */
  readonly size: number;
  /** When it was pulled, as ISO 8601. */
  readonly pulled: string;
}

/** A pulled image. */
export interface StoredImage {
  readonly id: ImageId;
  /** The digest that the registry has for it. */
  readonly digest: string;
  readonly platform: string;
  /** The names under which it was pulled, such as `docker.io/library/ruby:latest`. */
  readonly names: readonly string[];
  /** What machines mount. */
  readonly lower: Lower;
  /** The folder of its facts: copies of the files that the host reads, as passwd(5), and the names of shells. */
  readonly path: string;
  readonly config: PulledImageConfig;
  /** Bytes of its files. */
  readonly size: number;
  /** When it was pulled, as ISO 8601. */
  readonly pulled: string;
  /** When a job last used it, as ISO 8601. */
  readonly used: string;
}

/** Returns the record of an image; null where the image is not in the store. */
export async function readRecord(
  host: Host,
  store: string,
  id: ImageId,
): Promise<ImageRecord | null> {
  const record = await parseRecord(host, store, id);
  const isOwn = record?.version === 1 && typeof record.digest === "string";
  return isOwn && imageId(record.digest, record.asked) === id ? record : null;
}

/** Returns the hash by which the library knows an image, also where another version of the program recorded it. */
export async function recordedHash(
  host: Host,
  store: string,
  id: ImageId,
): Promise<string | null> {
  return (await parseRecord(host, store, id))?.library ?? null;
}

async function parseRecord(host: Host, store: string, id: ImageId): Promise<ImageRecord | null> {
  try {
    return JSON.parse(await host.files.read(recordPath(store, id)) ?? "null");
  } catch {
    return null; // a damaged record is as good as none: the image is pulled again
  }
}

/** Records an image whose layers and facts are in the store. */
export async function writeRecord(host: Host, store: string, record: ImageRecord): Promise<void> {
  await host.files.makeDirectory(imagePaths(store).records);
  const path = recordPath(store, imageId(record.digest, record.asked));
  await host.files.replace(path, JSON.stringify(record, null, 2) + "\n");
}

/** Returns a pulled image; null where it is not in the store, or a process began to remove it. */
export async function readImage(
  host: Host,
  store: string,
  id: ImageId,
  names: readonly string[],
): Promise<StoredImage | null> {
  const record = await readRecord(host, store, id);
  const used = (await host.files.lstat(recordPath(store, id)))?.modified;
  if (record === null || used === null || used === undefined) return null;
  const real = await host.files.real(store) ?? store;
  const path = factsPath(real, id);
  if (await host.files.lstat(path) === null) return null;
  const { digest, platform, config, size, pulled } = record;
  return {
    ...{ id, digest, platform, names, config, size, pulled },
    lower: lowerOf(real, id, record),
    path,
    used: used.toISOString(),
  };
}

/** Returns what machines mount of an image. */
export function lowerOf(store: string, id: ImageId, { library, layers }: ImageRecord): Lower {
  const { storage, trees } = imagePaths(store);
  if (library === null) return treeAsLower(join(trees, id));
  return { folder: join(storage, "overlay"), layers: layers.map(({ path }) => path) };
}

/** Notes that a job uses an image, unless another process has just removed it: the job obtains it again. */
export async function markUsed(host: Host, store: string, id: ImageId): Promise<void> {
  try {
    await host.files.touch(recordPath(store, id), host.clock.now());
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** The image of a name. */
export interface NamedImage {
  readonly name: string;
  readonly platform: string | null;
  readonly id: ImageId;
}

/** Returns the id of the image of a name; null where none was pulled under that name. */
export async function findName(
  host: Host,
  store: string,
  name: string,
  platform: string | null,
): Promise<ImageId | null> {
  return parseName(await host.files.read(await namePath(store, name, platform)))?.id ?? null;
}

/** Gives an image a name, which another one may have had before. */
export async function writeName(host: Host, store: string, named: NamedImage): Promise<void> {
  const { name, platform, id } = named;
  if (await findName(host, store, name, platform) === id) return;
  await host.files.makeDirectory(imagePaths(store).names);
  await host.files.replace(await namePath(store, name, platform), JSON.stringify(named) + "\n");
}

/** Returns the names of all images. */
export async function listNames(host: Host, store: string): Promise<NamedImage[]> {
  const { names } = imagePaths(store);
  const found: NamedImage[] = [];
  for (const entry of await host.files.list(names)) {
    if (!/^[0-9a-f]{64}\.json$/.test(entry)) continue;
    const named = parseName(await host.files.read(join(names, entry)));
    if (named !== null) found.push(named);
  }
  return found;
}

function parseName(text: string | null): NamedImage | null {
  try {
    const named = JSON.parse(text ?? "null");
    return typeof named?.name === "string" && isImageId(named.id) ? named : null;
  } catch {
    return null;
  }
}

/** Returns the ids of all images in a store. */
export async function listIds(host: Host, store: string): Promise<ImageId[]> {
  const entries = await host.files.list(imagePaths(store).records);
  return entries.filter((entry) => entry.endsWith(".json"))
    .map((entry) => entry.slice(0, -".json".length)).filter(isImageId);
}

/** Returns all pulled images, the least recently used one first. */
export async function listImages(host: Host, store: string): Promise<StoredImage[]> {
  const named = await listNames(host, store);
  const images: StoredImage[] = [];
  for (const id of await listIds(host, store)) {
    const names = named.filter((one) => one.id === id).map(({ name }) => name).sort();
    const image = await readImage(host, store, id, names);
    if (image !== null) images.push(image);
  }
  return images.sort((one, other) => one.used < other.used ? -1 : 1);
}
