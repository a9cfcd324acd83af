/** A source: an OCI image. */

import { join } from "@std/path/posix";
import { refused } from "../../failure.ts";
import { findLogins } from "../../images/request/credentials.ts";
import type { ImageRequest } from "../../images/request/image_request.ts";
import { layoutReference, parseReference } from "../../images/request/reference.ts";
import { copyFiles } from "../../images/store/copy_files.ts";
import { digestOf } from "../../images/store/digest.ts";
import type { ImageConfig } from "../../images/store/image_config.ts";
import { obtainByDigest } from "../../images/store/obtain.ts";
import { markUsed } from "../../images/store/record.ts";
import type { Host } from "../../host/host.ts";
import { requireProgram } from "../../linux/tool.ts";
import type { ChrootContext } from "../generations/context.ts";
import type { ChrootPaths } from "../generations/paths.ts";
import type { Source } from "./source.ts";

/**
 * Returns an image of a registry, or of a folder in the OCI image layout, as a source. What becomes the tree has the
 * digest that was read at the beginning.
 *
 * @param source `docker:REGISTRY/REPOSITORY:TAG`, or `oci:` with the same or a folder.
 * @throws {Failure} where there is no such image, or skopeo is missing.
 */
export async function imageSource(context: ChrootContext, source: string): Promise<Source> {
  const { host, interrupt } = context;
  await requireProgram(host, "skopeo");
  const request = await requestOf(host, source);
  const { reference } = request;
  const pin = reference.digest ?? await digestOf(host, request, interrupt);
  return {
    origin: source,
    how: `from ${reference.written} (${pin})`,
    pin,
    stranger: source,
    isImmutable: true,
    installsPackages: false,
    fill: (_host, paths, interrupt) => fill(context, request, pin, paths, interrupt),
  };
}

async function fill(
  { host, config }: ChrootContext,
  request: ImageRequest,
  pin: string,
  { scratch, tree }: ChrootPaths,
  interrupt: AbortSignal,
): Promise<ImageConfig> {
  const image = await obtainByDigest(host, config, request, pin, interrupt);
  await markUsed(host, config.store, image.id); // gc keeps images that were used just now
  const mountPoint = join(scratch, "image");
  await host.files.makeDirectory(mountPoint);
  await copyFiles(host, config.store, image, mountPoint, tree, interrupt);
  return image.config;
}

/** The administrator's definition needs no pattern of `pull`, and only root's credentials count. */
async function requestOf(host: Host, source: string): Promise<ImageRequest> {
  const image = source.replace(/^(?:docker|oci):(?:\/\/)?/, "");
  const reference = image.startsWith("/") ? layoutReference(image) : parseReference(image);
  if (reference === null) {
    throw refused(
      `Cannot use source ${source}: no registry can have an image of that name`,
      "Correct source in the definition",
    );
  }
  return {
    reference,
    platform: null,
    policies: ["always"],
    ...await findLogins(host, null, reference),
    user: null,
    entrypoint: null,
  };
}
