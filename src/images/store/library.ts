/**
 * Reads what containers/storage keeps of an image, from its files: the library itself would wait until no layer is
 * being unpacked.
 */

import { join } from "@std/path/posix";
import type { Host } from "../../host/host.ts";
import { sha256 } from "../../text/hash.ts";
import { type ImageId, imagePaths } from "./paths.ts";
import type { StoredLayer } from "./record.ts";
import { libraryName } from "./skopeo.ts";

/** An image in the library. */
export interface LibraryImage {
  /** The hash of its configuration. */
  readonly id: string;
  readonly names?: readonly string[];
  /** Its top layer. */
  readonly layer?: string;
}

/** A layer in the library. */
export interface LibraryLayer {
  readonly id: string;
  /** The layer below; none for the lowest. */
  readonly parent?: string;
  /** When it was unpacked, as RFC 3339. */
  readonly created?: string;
  /** The hash of its tar file. */
  readonly "diff-digest"?: string;
  /** Bytes of its tar file. */
  readonly "diff-size"?: number;
}

/** What was read of a complete image. */
export interface ImageContent {
  /** The hash of its configuration; null where it is not in the library, but a whole tree. */
  readonly library: string | null;
  /** application/vnd.oci.image.config.v1+json, parsed. */
  readonly config: ImageManifestConfig;
  /** The top layer first; none of a whole tree. */
  readonly layers: readonly StoredLayer[];
  /** Bytes of its files. */
  readonly size: number;
  /** Whether its layers are those that its configuration names. */
  readonly isConsistent: boolean;
}

/** The part of application/vnd.oci.image.config.v1+json that matters here. */
export interface ImageManifestConfig {
  readonly os?: unknown;
  readonly architecture?: unknown;
  readonly variant?: unknown;
  readonly config?: unknown;
  readonly rootfs?: { readonly diff_ids?: readonly unknown[] };
}

/** Returns all images in the library. */
export function libraryImages(host: Host, store: string): Promise<LibraryImage[]> {
  return readList<LibraryImage>(host, join(imagePaths(store).storage, IMAGES, "images.json"));
}

/** Returns all layers in the library. */
export function libraryLayers(host: Host, store: string): Promise<LibraryLayer[]> {
  const path = join(imagePaths(store).storage, "overlay-layers", "layers.json");
  return readList<LibraryLayer>(host, path);
}

const IMAGES = "overlay-images";

async function readList<T>(host: Host, path: string): Promise<T[]> {
  try {
    const list = JSON.parse(await host.files.read(path) ?? "[]");
    return Array.isArray(list) ? list : [];
  } catch {
    return [];
  }
}

/**
 * Reads an image that was just copied into the library.
 *
 * @returns Null where a part of it is missing: another process removed it, or a power cut damaged it.
 */
export async function readLibrary(
  host: Host,
  store: string,
  id: ImageId,
): Promise<ImageContent | null> {
  const image = (await libraryImages(host, store))
    .find(({ names }) => names?.includes(libraryName(id)));
  if (image === undefined || !HASH.test(image.id)) return null;
  const config = await readConfig(host, store, image.id);
  const layers = await layersBelow(host, store, image.layer);
  if (config === null || layers?.length !== config.rootfs?.diff_ids?.length) return null;
  if (layers === null) return null;
  return {
    library: image.id,
    config,
    layers: layers.map(({ path, size }) => ({ path, size })),
    size: layers.reduce((sum, { size }) => sum + size, 0),
    isConsistent: isConsistent(config, layers),
  };
}

/** skopeo 1.9 does not check this. The library may not know the hash of a layer that it got by parts. */
function isConsistent({ rootfs }: ImageManifestConfig, layers: readonly FoundLayer[]): boolean {
  const digests = rootfs?.diff_ids?.toReversed() ?? [];
  return layers.every(({ digest }, index) => digest === undefined || digest === digests[index]);
}

const HASH = /^[0-9a-f]{64}$/;

/** The library has each blob in a file that is named by the base64 of its digest. */
async function readConfig(
  host: Host,
  store: string,
  hash: string,
): Promise<ImageManifestConfig | null> {
  const file = `=${btoa(`sha256:${hash}`)}`;
  const text = await host.files.read(join(imagePaths(store).storage, IMAGES, hash, file));
  return text === null || await sha256(text) !== hash ? null : JSON.parse(text);
}

/** A layer, with the hash of its tar file. */
interface FoundLayer extends StoredLayer {
  readonly digest: string | undefined;
}

/**
 * Returns a layer and those below; null where one is missing. `link` is the short name of a layer, `lower` those of the
 * layers below it.
 */
async function layersBelow(
  host: Host,
  store: string,
  top: string | undefined,
): Promise<FoundLayer[] | null> {
  const known = new Map((await libraryLayers(host, store)).map((layer) => [layer.id, layer]));
  const folder = join(imagePaths(store).storage, "overlay");
  const layers: FoundLayer[] = [];
  for (let id = top; id !== undefined && id !== "";) {
    const layer = known.get(id);
    const link = (await host.files.read(join(folder, id, "link")))?.trim() ?? "";
    const path = `l/${link}`;
    const isThere = LINK.test(link) && (await host.files.stat(join(folder, path)))?.kind ===
        "directory";
    if (layer === undefined || !isThere) return null;
    const { "diff-size": size = 0, "diff-digest": digest } = layer;
    layers.push({ path, size, digest });
    id = layer.parent;
  }
  return layers;
}

const LINK = /^[A-Z0-9]{10,40}$/;
