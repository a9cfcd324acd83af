/** Finds pulled images by what a person writes. */

import { refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { canonicalName, parseReference } from "../request/reference.ts";
import { listImages, type StoredImage } from "./record.ts";

/** Fewest digits of a digest that name an image. */
const FEWEST_DIGITS = 6;

/**
 * Returns the images that a text means: by a name, for all platforms, or by a digest or its beginning.
 *
 * @throws {Failure} where there is none.
 */
export async function findImages(host: Host, store: string, text: string): Promise<StoredImage[]> {
  const images = await listImages(host, store);
  const reference = parseReference(text);
  const name = reference === null ? "" : canonicalName(reference);
  const digits = (reference?.digest ?? text).replace(/^sha256:/, "");
  const isDigest = /^[0-9a-f]+$/.test(digits) && digits.length >= FEWEST_DIGITS;
  const found = images.filter(({ names, digest }) =>
    names.includes(name) || (isDigest && digest.startsWith(`sha256:${digits}`))
  );
  if (found.length > 0) return found;
  throw refused(
    `Cannot find image ${JSON.stringify(text)}: it is not on this host`,
    "List images: nspawn-runner image-list",
  );
}
