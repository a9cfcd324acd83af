/** A host with a registry and with skopeo, as far as the store of images sees them. */

import { join } from "@std/path/posix";
import type { Config } from "../../../../src/config/settings.ts";
import type { Host } from "../../../../src/host/host.ts";
import { COPY_IMAGE_SCRIPT } from "../../../../src/images/store/copy.ts";
import { IMAGE_FACTS_SCRIPT } from "../../../../src/images/store/facts.ts";
import type { ImageRequest } from "../../../../src/images/request/image_request.ts";
import { parseReference } from "../../../../src/images/request/reference.ts";
import { sha256 } from "../../../../src/text/hash.ts";
import { withOwnRun } from "../../machines/standalone_host.ts";
import { type Answer, inFolder, type Recording, recordingHost } from "../../recording_host.ts";

/** What the registry has, by the name at which skopeo is asked; a text that is no JSON is the message of a failure. */
export type Registry = Record<string, string>;

/** A store of images, and what a test sees of its host. */
export interface ImageHost {
  readonly host: Host;
  readonly recording: Recording;
  readonly config: Config;
  readonly store: string;
  readonly registry: Registry;
  /** Messages of copies that fail, the next one first. */
  readonly failures: string[];
  /** Free bytes of the store's disk by the number of images in the library; NaN where df(1) does not tell. */
  freeBytes: (images: number) => number;
  /** Returns the hashes of the images that the library has. */
  library(): Promise<string[]>;
  /** Lets the library forget its images, but not their layers: what a power cut may leave. */
  forget(): Promise<void>;
}

/**
 * Runs a test with a host of images.
 *
 * @param fileSystem That of the store.
 * @param layers The number of layers of each image.
 */
export async function withImages(
  body: (images: ImageHost) => Promise<void>,
  fileSystem = "ext2/ext3",
  layers = 2,
): Promise<void> {
  await inFolder(async (folder) => {
    const store = join(folder, "store");
    const registry: Registry = {};
    const failures: string[] = [];
    const images = new Map<string, readonly string[]>();
    const bases = Array.from({ length: layers - 1 }, (_, index) => `base${index || ""}`);
    const recording = recordingHost({
      answer: (argv) =>
        argv[0] === "stat"
          ? { stdout: `${fileSystem}\n` }
          : argv[0] === "df"
          ? { stdout: `Avail 1B-blocks IFree Inodes\n${own.freeBytes(images.size)} 9999999 - -\n` }
          : skopeo(argv, store, registry, failures, { images, bases }),
    });
    const host = withOwnRun(recording.host, join(folder, "run"));
    const skopeoFile = { ...host.files, stat: (path: string) => statOf(host, path) };
    const own: ImageHost = {
      host: { ...host, files: skopeoFile },
      recording,
      config: { store, disk_reserve: 1_048_576 } as Config,
      store,
      registry,
      failures,
      freeBytes: () => NaN,
      library: () => Promise.resolve([...images.keys()]),
      async forget() {
        images.clear();
        await writeImages(store, images);
      },
    };
    await body(own);
  });
}

/** skopeo and umoci are installed. */
function statOf(host: Host, path: string) {
  return host.files.stat(/\/(?:skopeo|umoci)$/.test(path) ? "/bin/sh" : path);
}

/** What the library has. */
export interface Library {
  /** The names of each image. */
  readonly images: Map<string, readonly string[]>;
  /** The layers that all images have, the lowest one first. */
  readonly bases: readonly string[];
}

/** Answers as skopeo, umoci and the scripts that call them do. */
export async function skopeo(
  argv: readonly string[],
  store: string,
  registry: Registry,
  failures: string[],
  library: Library,
): Promise<Answer | void> {
  const { images } = library;
  const last = argv.at(-1)!;
  if (argv.includes("inspect")) {
    const found = registry[last.replace("docker://", "")] ?? "manifest unknown";
    const isThere = found.startsWith("{");
    return isThere ? { stdout: found } : { code: 1, stderr: `level=fatal msg="${found}"` };
  }
  if (argv[2] === COPY_IMAGE_SCRIPT) {
    const failure = failures.shift();
    if (failure === undefined && last.startsWith("oci:")) return await unpack(argv[5]!);
    if (failure === undefined) return await copy(store, last.split("]")[1]!, library);
    await Deno.writeTextFile(join(argv[5]!, "log"), `level=fatal msg="${failure}"\n`);
    return { code: 1 };
  }
  if (argv.includes(IMAGE_FACTS_SCRIPT)) await Deno.mkdir(argv.at(-2)!);
  if (argv.includes("copy")) return await copyLoose(argv.at(-2)!.split(":")[1]!, store, images);
  if (argv.includes("delete")) {
    images.delete(last.split("@").at(-1)!);
    await writeImages(store, images);
    await writeLayers(store, library);
  }
}

/** What umoci and skopeo leave of an image in the folder of a pull. */
async function unpack(folder: string): Promise<void> {
  const layout = join(folder, "scratch/image");
  const blob = (name: string, content: unknown) =>
    Deno.writeTextFile(join(layout, "blobs/sha256", name), JSON.stringify(content));
  await Deno.mkdir(join(layout, "blobs/sha256"), { recursive: true });
  await Deno.mkdir(join(folder, "scratch/root"));
  const index = { manifests: [{ digest: "sha256:m" }] };
  await Deno.writeTextFile(join(layout, "index.json"), JSON.stringify(index));
  await blob("m", { config: { digest: "sha256:c" } });
  await blob("c", { os: "linux", architecture: "arm64", variant: "v8", config: { User: "ci" } });
}

/** Copies an image without files of its own, whose layers the library has. */
async function copyLoose(
  layout: string,
  store: string,
  images: Map<string, readonly string[]>,
): Promise<void> {
  const read = async (path: string) => JSON.parse(await Deno.readTextFile(join(layout, path)));
  const { manifests: [{ digest }] } = await read("index.json");
  const { config } = await read(`blobs/${digest.replace(":", "/")}`);
  images.set(config.digest.slice("sha256:".length), ["loose"]);
  await writeImages(store, images);
}

/** Each image has a layer of its own over those that all have. */
async function copy(store: string, name: string, library: Library): Promise<void> {
  const { images, bases } = library;
  const storage = join(store, ".images/storage");
  const config = JSON.stringify({
    os: "linux",
    architecture: "amd64",
    config: { Env: ["A=b"], User: "ci", ExposedPorts: { "80/tcp": {} } },
    rootfs: { diff_ids: [...bases, name].map((one) => `sha256:${one}`) },
  });
  const hash = await sha256(config);
  images.set(hash, [...images.get(hash) ?? [], name]);
  await Deno.mkdir(join(storage, "overlay-images", hash), { recursive: true });
  const file = join(storage, "overlay-images", hash, `=${btoa(`sha256:${hash}`)}`);
  await Deno.writeTextFile(file, config);
  await writeImages(store, images);
  await writeLayers(store, library);
}

/** When the layers were unpacked, by the library. */
export const UNPACKED = "2020-02-02T02:02:02.123456789+01:00";

async function writeLayers(store: string, { images, bases }: Library): Promise<void> {
  const storage = join(store, ".images/storage");
  const own = [...images].map(([id, [name]]) => ({
    id,
    parent: bases.at(-1),
    created: UNPACKED,
    "diff-size": 10,
    "diff-digest": `sha256:${name}`,
  }));
  const below = bases.map((id, index) => ({
    id,
    ...index === 0 ? {} : { parent: bases[index - 1] },
    "diff-size": 1000,
    "diff-digest": `sha256:${id}`,
  }));
  const layers = images.size === 0 ? [] : [...below, ...own];
  for (const { id } of layers) {
    const link = (await sha256(id)).toUpperCase().slice(0, 26);
    await Deno.mkdir(join(storage, "overlay", id), { recursive: true });
    await Deno.mkdir(join(storage, "overlay/l", link), { recursive: true });
    await Deno.writeTextFile(join(storage, "overlay", id, "link"), link);
  }
  await Deno.mkdir(join(storage, "overlay-layers"), { recursive: true });
  await Deno.writeTextFile(join(storage, "overlay-layers/layers.json"), JSON.stringify(layers));
}

async function writeImages(
  store: string,
  images: ReadonlyMap<string, readonly string[]>,
): Promise<void> {
  const list = [...images].map(([id, names]) => ({ id, names, layer: id }));
  const path = join(store, ".images/storage/overlay-images/images.json");
  await Deno.writeTextFile(path, JSON.stringify(list));
}

/** Returns the request of a job. */
export function requestFor(image: string, changes: Partial<ImageRequest> = {}): ImageRequest {
  return {
    reference: parseReference(image)!,
    platform: null,
    policies: ["always"],
    credentials: null,
    mirrors: new Map(),
    user: null,
    entrypoint: null,
    ...changes,
  };
}

/** A signal that nobody sends. */
export const NEVER = new AbortController().signal;
