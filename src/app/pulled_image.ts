/** The pulled image that a job's machine starts from. */

import type { Config } from "../config/settings.ts";
import type { Host } from "../host/host.ts";
import type { ImageRequest } from "../images/request/image_request.ts";
import { refuseManyLayers } from "../images/store/layer_limit.ts";
import { obtainImage } from "../images/store/obtain.ts";
import type { StoredImage } from "../images/store/record.ts";
import type { BaseTree, MachinePlan } from "../machines/record/plan.ts";

/**
 * Obtains an image, and returns the part of a plan that depends on it. An image that is removed before a lease names it is
 * obtained again.
 *
 * @param interrupt Ends the pull when aborted.
 * @throws {Failure} where the job may not have the image, or it cannot be pulled.
 */
export async function planPulledImage(
  host: Host,
  config: Config,
  request: ImageRequest,
  interrupt: AbortSignal,
): Promise<Pick<MachinePlan, "tree">> {
  return { tree: await findPulledImage(host, config, request, interrupt, treeOf) };
}

/**
 * Obtains an image, and returns a function that makes a tree of it as it is at each call.
 *
 * @param shape Makes the tree.
 */
export async function findPulledImage(
  host: Host,
  config: Config,
  request: ImageRequest,
  interrupt: AbortSignal,
  shape: (request: ImageRequest, image: StoredImage) => BaseTree,
): Promise<() => Promise<BaseTree>> {
  const obtain = async () => {
    const image = await obtainImage(host, config, request, interrupt);
    refuseManyLayers(request.reference, image.lower.layers);
    return image;
  };
  let stored = await obtain();
  return async () => {
    if (await host.files.lstat(stored.path) === null) stored = await obtain();
    return shape(request, stored);
  };
}

/** The setting `user` names a user of chroots; a pulled image has users of its own. */
export function treeOf(
  request: ImageRequest,
  { path, lower, config, ...image }: StoredImage,
): BaseTree {
  return {
    ...{ name: request.reference.written, path, lower, generation: null, isImmutable: true },
    user: request.user ?? config.user,
    environment: config.env,
    helper: null,
    pulled: { digest: image.digest, pulled: image.pulled },
    process: {
      entrypoint: request.entrypoint ?? config.entrypoint,
      workingDir: config.workingDir,
    },
  };
}
