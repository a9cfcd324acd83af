/** A source: an OCI image. */

import { join } from "@std/path/posix";
import { GZIP_OPTION } from "../../images/store/whole_tree.ts";
import { digestIn, withDigest, withoutTagBeforeDigest } from "../../config/image_reference.ts";
import type { Host } from "../../host/host.ts";
import type { ChrootContext } from "../generations/context.ts";
import type { ImageConfig } from "../../images/store/image_config.ts";
import type { ChrootPaths } from "../generations/paths.ts";
import { copyImage, digestOf, layoutImage, requireImageTools, unpackImage } from "./registry.ts";
import type { Source } from "./source.ts";

/**
 * Returns an image of a registry, or of a folder in the OCI image layout, as a source. What is
 * unpacked has the digest that was read at the beginning.
 *
 * @param source `docker:REGISTRY/REPOSITORY:TAG`, or `oci:` with the same or a folder.
 * @throws {Failure} where there is no such image, or skopeo or umoci are missing.
 */
export async function imageSource(
  { host, interrupt }: ChrootContext,
  source: string,
): Promise<Source> {
  await requireImageTools(host);
  const image = imageOf(source);
  const pin = digestIn(source) ?? await digestOf(host, image, interrupt);
  return {
    origin: source,
    how: `from ${image} (${pin})`,
    pin,
    stranger: source,
    isImmutable: true,
    installsPackages: false,
    fill: (host, paths, interrupt) => fill(host, pinned(image, pin), paths, interrupt),
  };
}

async function fill(
  host: Host,
  image: string,
  { scratch, tree }: ChrootPaths,
  interrupt: AbortSignal,
): Promise<ImageConfig> {
  const folder = join(scratch, "image");
  await copyImage(host, image, layoutImage(folder), scratch, interrupt, [GZIP_OPTION]);
  return await unpackImage(host, folder, tree, interrupt);
}

/** Returns the image in the notation of containers-transports(5). */
function imageOf(source: string): string {
  const rest = source.replace(/^(?:docker|oci):(?:\/\/)?/, "");
  return rest.startsWith("/") ? `oci:${rest}` : `docker://${withoutTagBeforeDigest(rest)}`;
}

function pinned(image: string, digest: string): string {
  if (!image.startsWith("docker://")) return image;
  return withDigest(image, digest);
}
