/** A host with a registry and with skopeo, as far as the store of images sees them. */

import { join } from "@std/path/posix";
import type { Config } from "../../../../src/config/settings.ts";
import type { Argv, Host } from "../../../../src/host/host.ts";
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
  /** Returns the hashes of the images that the library has. */
  library(): Promise<string[]>;
}

/** Runs a test with a host of images. */
export async function withImages(body: (images: ImageHost) => Promise<void>): Promise<void> {
  await inFolder(async (folder) => {
    const store = join(folder, "store");
    const registry: Registry = {};
    const failures: string[] = [];
    const images = new Map<string, readonly string[]>();
    const recording = recordingHost({
      answer: (argv) => skopeo(argv, store, registry, failures, images),
    });
    const host = withOwnRun(recording.host, join(folder, "run"));
    const skopeoFile = { ...host.files, stat: (path: string) => statOf(host, path) };
    await body({
      host: { ...host, files: skopeoFile },
      recording,
      config: { store } as Config,
      store,
      registry,
      failures,
      library: () => Promise.resolve([...images.keys()]),
    });
  });
}

/** skopeo is installed. */
function statOf(host: Host, path: string) {
  return host.files.stat(path.endsWith("/skopeo") ? "/bin/sh" : path);
}

async function skopeo(
  argv: Argv,
  store: string,
  registry: Registry,
  failures: string[],
  images: Map<string, readonly string[]>,
): Promise<Answer | void> {
  const last = argv.at(-1)!;
  if (argv.includes("inspect")) {
    const found = registry[last.replace("docker://", "")] ?? "manifest unknown";
    const isThere = found.startsWith("{");
    return isThere ? { stdout: found } : { code: 1, stderr: `level=fatal msg="${found}"` };
  }
  if (argv[2] === COPY_IMAGE_SCRIPT) {
    const failure = failures.shift();
    if (failure === undefined) return await copy(store, last.split("]")[1]!, images);
    await Deno.writeTextFile(join(argv[5]!, "log"), `level=fatal msg="${failure}"\n`);
    return { code: 1 };
  }
  if (argv.includes(IMAGE_FACTS_SCRIPT)) await Deno.mkdir(argv.at(-2)!);
  if (argv.includes("delete")) {
    images.delete(last.split("@").at(-1)!);
    await writeImages(store, images);
  }
}

/** Each image has a layer of its own over one that all have. */
async function copy(
  store: string,
  name: string,
  images: Map<string, readonly string[]>,
): Promise<void> {
  const storage = join(store, ".images/storage");
  const config = JSON.stringify({
    os: "linux",
    architecture: "amd64",
    config: { Env: ["A=b"], User: "ci", ExposedPorts: { "80/tcp": {} } },
    rootfs: { diff_ids: ["sha256:base", `sha256:${name}`] },
  });
  const hash = await sha256(config);
  images.set(hash, [...images.get(hash) ?? [], name]);
  await Deno.mkdir(join(storage, "overlay-images", hash), { recursive: true });
  const file = join(storage, "overlay-images", hash, `=${btoa(`sha256:${hash}`)}`);
  await Deno.writeTextFile(file, config);
  await writeImages(store, images);
  const layers = [
    { id: "base", "diff-size": 1000, "diff-digest": "sha256:base" },
    ...[...images.keys()].map((id) => ({ id, parent: "base", "diff-size": 10 })),
  ];
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
    user: null,
    entrypoint: null,
    ...changes,
  };
}

/** A signal that nobody sends. */
export const NEVER = new AbortController().signal;
