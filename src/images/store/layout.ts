/** Writes an image into a folder, in the OCI image layout. */

import { join } from "@std/path/posix";
import type { Host } from "../../host/host.ts";
import { sha256 } from "../../text/hash.ts";

/** A layer of an image to be written. */
export interface LayoutLayer {
  /** That of its tar file, which is not compressed. */
  readonly digest: string;
  /** Bytes of its tar file. */
  readonly size: number;
}

/**
 * Writes the description of an image; skopeo looks for the tar file of a layer at {@linkcode blobPath}, unless the library
 * has that layer.
 *
 * @param folder Does not exist.
 * @param config application/vnd.oci.image.config.v1+json, without the layers.
 * @param layers The lowest one first.
 * @returns The hash of the image's configuration.
 */
export async function writeLayout(
  host: Host,
  folder: string,
  config: Readonly<Record<string, unknown>>,
  layers: readonly LayoutLayer[],
): Promise<string> {
  await host.files.makeDirectory(join(folder, "blobs/sha256"));
  await host.files.write(join(folder, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  const rootfs = { type: "layers", diff_ids: layers.map(({ digest }) => digest) };
  const described = await writeBlob(host, folder, { ...config, rootfs });
  const manifest = await writeBlob(host, folder, {
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: { mediaType: "application/vnd.oci.image.config.v1+json", ...described },
    layers: layers.map(({ digest, size }) => ({
      mediaType: "application/vnd.oci.image.layer.v1.tar",
      digest,
      size,
    })),
  });
  const annotations = { "org.opencontainers.image.ref.name": TAG };
  const manifests = [{ mediaType: MANIFEST, ...manifest, annotations }];
  const index = JSON.stringify({ schemaVersion: 2, manifests });
  await host.files.write(join(folder, "index.json"), index);
  return described.digest.slice("sha256:".length);
}

/** Returns the path of a part of an image. */
export function blobPath(folder: string, digest: string): string {
  return join(folder, "blobs", digest.replace(":", "/"));
}

/** Returns the only image in a folder, in the notation of containers-transports(5). */
export function layoutImage(folder: string): string {
  return `oci:${folder}:${TAG}`;
}

const TAG = "image";

const MANIFEST = "application/vnd.oci.image.manifest.v1+json";

async function writeBlob(host: Host, folder: string, content: unknown) {
  const text = JSON.stringify(content);
  const digest = `sha256:${await sha256(text)}`;
  await host.files.write(blobPath(folder, digest), text);
  return { digest, size: new TextEncoder().encode(text).length };
}
