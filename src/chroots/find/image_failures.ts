/** Failures for an image that leads to no chroot, or to one that the job may not use. */

import { namesOfImage } from "../../config/chroot_name.ts";
import type { Config } from "../../config/settings.ts";
import { refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { refuseUnmounted } from "../../machines/record/refuse_unmounted.ts";
import { type ChrootEntry, listChroots } from "./list.ts";

/**
 * Returns the failure of an image that means no chroot, with the chroots that exist.
 *
 * @param image The image as it was written.
 * @param isShown Which chroots the message may name.
 * @throws {Failure} of the host where the store's disk is not mounted.
 */
export async function unknownImage(
  host: Host,
  config: Config,
  image: string,
  isShown: (name: string) => boolean = () => true,
): Promise<Error> {
  await refuseUnmounted(host, config.store);
  const entries = (await listChroots(host, config)).filter(({ name }) => isShown(name));
  const names = namesOfImage(image);
  const defined = entries.find(({ name }) => names.includes(name))?.name;
  return refused(
    `Cannot use image ${JSON.stringify(image)}: no such chroot`,
    `${readyNames("Available chroots", entries)}. To make this one: nspawn-runner chroot-create ${
      defined ?? names[0]
    }`,
  );
}

/**
 * Returns the failure of an image that jobs may not use, with the chroots that they may use.
 *
 * @param image The image as it was written.
 * @param isAllowed Which chroots jobs may use.
 */
export async function deniedImage(
  host: Host,
  config: Config,
  image: string,
  isAllowed: (name: string) => boolean,
): Promise<Error> {
  const entries = (await listChroots(host, config)).filter(({ name }) => isAllowed(name));
  return refused(
    `Cannot use image ${JSON.stringify(image)}: jobs may not use that chroot on this host`,
    `${
      readyNames("Jobs may use", entries)
    }. The administrator decides by allowed_images in the configuration`,
  );
}

function readyNames(intro: string, entries: readonly ChrootEntry[]): string {
  const ready = entries.filter(({ state }) => state === "ready").map(({ name }) => name);
  return `${intro}: ${ready.length === 0 ? "none" : ready.join(", ")}`;
}
