/** Writes an image in the OCI image layout that has layers of the library and no file of its own. */

import { join } from "@std/path/posix";
import type { Host } from "../../host/host.ts";
import { sha256 } from "../../text/hash.ts";
import type { LibraryLayer } from "./library.ts";

/**
 * Writes an image that is made of layers which the library has already: skopeo finds them there by their hashes, and
 * never reads the files that the layout lacks.
 *
 * @param folder Does not exist.
 * @param layers The lowest one first.
 * @returns The hash of the image's configuration.
 */
export async function writeLooseImage(
  host: Host,
  folder: string,
  layers: readonly LibraryLayer[],
): Promise<string> {
  const digests = layers.map((layer) => layer["diff-digest"] ?? "");
  await host.files.makeDirectory(join(folder, "blobs/sha256"));
  await host.files.write(join(folder, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  const config = await writeBlob(host, folder, {
    architecture: "none",
    os: "linux",
    config: {},
    rootfs: { type: "layers", diff_ids: digests },
  });
  const manifest = await writeBlob(host, folder, {
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: { mediaType: "application/vnd.oci.image.config.v1+json", ...config },
    layers: layers.map((layer, index) => ({
      mediaType: "application/vnd.oci.image.layer.v1.tar",
      digest: digests[index],
      size: layer["diff-size"] ?? 0,
    })),
  });
  const annotations = { "org.opencontainers.image.ref.name": LOOSE };
  const manifests = [{ mediaType: MANIFEST, ...manifest, annotations }];
  const index = JSON.stringify({ schemaVersion: 2, manifests });
  await host.files.write(join(folder, "index.json"), index);
  return config.digest.slice("sha256:".length);
}

/** The name of such an image. */
export const LOOSE = "loose";

const MANIFEST = "application/vnd.oci.image.manifest.v1+json";

async function writeBlob(host: Host, folder: string, content: unknown) {
  const text = JSON.stringify(content);
  const hash = await sha256(text);
  await host.files.write(join(folder, "blobs/sha256", hash), text);
  return { digest: `sha256:${hash}`, size: new TextEncoder().encode(text).length };
}
