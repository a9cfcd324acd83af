/** The pulled image that a job's machine starts from. */

import type { Config } from "../config/settings.ts";
import { refused } from "../failure.ts";
import type { Host } from "../host/host.ts";
import type { ImageRequest } from "../images/request/image_request.ts";
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
  const obtain = async () => {
    const image = await obtainImage(host, config, request, interrupt);
    refuseManyLayers(image, request);
    return image;
  };
  let stored = await obtain();
  return {
    async tree() {
      if (await host.files.lstat(stored.path) === null) stored = await obtain();
      return treeOf(request, stored);
    },
  };
}

/** Docker has no more either; the names of more layers do not fit into the options of mount(2). */
const MAX_LAYERS = 127;

function refuseManyLayers({ lower: { layers } }: StoredImage, { reference }: ImageRequest): void {
  if (layers.length <= MAX_LAYERS) return;
  throw refused(
    `Cannot use image ${reference.written}: it has ${layers.length} layers, and machines can have ${MAX_LAYERS}`,
    "Build the image with fewer layers",
  );
}

/** The setting `user` names a user of chroots; a pulled image has users of its own. */
function treeOf(request: ImageRequest, { path, lower, config }: StoredImage): BaseTree {
  return {
    ...{ name: request.reference.written, path, lower, generation: null, isImmutable: true },
    user: request.user ?? config.user,
    environment: config.env,
    helper: null,
    process: {
      entrypoint: request.entrypoint ?? config.entrypoint,
      workingDir: config.workingDir,
    },
  };
}
