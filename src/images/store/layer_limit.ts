import { refused } from "../../failure.ts";
import type { Reference } from "../request/reference.ts";

/** Docker has no more either; the names of more layers do not fit into the options of mount(2). */
const MAX_LAYERS = 127;

/**
 * Refuses an image with too many layers.
 *
 * @throws {Failure} of the user.
 */
export function refuseManyLayers({ written }: Reference, layers: readonly unknown[]): void {
  if (layers.length <= MAX_LAYERS) return;
  throw refused(
    `Cannot use image ${written}: it has ${layers.length} layers, and machines can have ${MAX_LAYERS}`,
    "Build the image with fewer layers",
  );
}
