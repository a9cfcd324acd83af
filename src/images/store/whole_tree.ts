/** Images as whole trees, unpacked by umoci(1): for stores whose file system can hold no layers of an overlay. */

import { join } from "@std/path/posix";
import type { Argv, Host } from "../../host/host.ts";
import { diskUsage } from "../../linux/disk.ts";
import { requireProgram } from "../../linux/tool.ts";
import { fileSystemType } from "../../linux/tree.ts";
import { removeUntrustedTree } from "../../linux/untrusted_tree.ts";
import type { ImageContent } from "./library.ts";
import { type ImageId, imagePaths } from "./paths.ts";
import { copyArgv } from "./skopeo.ts";

/** Returns whether a store can hold layers: an overlay cannot be made of files of another overlay. */
export async function canHoldLayers(host: Host, store: string): Promise<boolean> {
  return await fileSystemType(host, store) !== "overlayfs";
}

/** Arguments: the folder of the image and its tree, the command that copies the image there. */
export const UNPACK_IMAGE_SCRIPT = `
folder=$1
shift
"$@" || exit
exec umoci raw unpack --image="$folder/image:image" "$folder/root"
`;

/** Where the image is copied to, in the notation of containers-transports(5). */
export function layoutIn(scratch: string): string {
  return `oci:${scratch}/image:image`;
}

/** umoci 0.4 unpacks no layers that are compressed by zstd. */
export const GZIP_OPTION = "--dest-compress-format=gzip";

/**
 * Returns the command that copies an image and unpacks it.
 *
 * @param words Arguments of skopeo, the last one from {@linkcode layoutIn}.
 */
export async function unpackArgv(
  host: Host,
  scratch: string,
  words: readonly string[],
): Promise<Argv> {
  await requireProgram(host, "umoci");
  return ["sh", "-c", UNPACK_IMAGE_SCRIPT, "sh", scratch, ...copyArgv(scratch, words)];
}

/** Moves an unpacked image to its place, and returns what it is. */
export async function takeTree(
  host: Host,
  store: string,
  id: ImageId,
  scratch: string,
): Promise<ImageContent> {
  const layout = join(scratch, "image");
  const { manifests: [manifest] } = await readJson(host, join(layout, "index.json"));
  const { config: { digest } } = await readBlob(host, layout, manifest.digest);
  const config = await readBlob(host, layout, digest);
  const { trees } = imagePaths(store);
  const tree = join(trees, id);
  await host.files.makeDirectory(trees);
  await removeUntrustedTree(host, tree); // a process was killed before it wrote the record
  await host.files.rename(join(scratch, "root"), tree);
  const size = await diskUsage(host, tree) ?? 0;
  return { library: null, config, layers: [], size, isConsistent: true }; // umoci has checked it
}

// deno-lint-ignore no-explicit-any -- skopeo has just written it
async function readJson(host: Host, path: string): Promise<any> {
  return JSON.parse(await host.files.read(path) ?? "");
}

function readBlob(host: Host, layout: string, digest: string) {
  return readJson(host, join(layout, "blobs", digest.replace(":", "/")));
}
