/** Failures for an image that leads to no chroot, or to one that the job may not use. */

import { chrootNamesIn, namesOfImage, noChrootReason } from "../../config/chroot_name.ts";
import type { Config } from "../../config/settings.ts";
import { refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { pullPermission } from "../../images/request/permission.ts";
import { parseReference } from "../../images/request/reference.ts";
import { refuseUnmounted } from "../../machines/record/refuse_unmounted.ts";
import { isAllowed } from "./allowed.ts";
import { type ChrootEntry, listChroots } from "./list.ts";

/**
 * Returns the failure of an image that means no chroot, with the chroots that exist.
 *
 * @param image The image as a person wrote it.
 * @throws {Failure} of the host where the store's disk is not mounted.
 */
export async function unknownImage(host: Host, config: Config, image: string): Promise<Error> {
  await refuseUnmounted(host, config.store);
  const entries = await listChroots(host, config);
  return refused(
    `Cannot use image ${JSON.stringify(image)}: no such chroot`,
    `${readyNames("Available chroots", entries)}. ${creation(entries, namesOfImage(image))}`,
  );
}

/**
 * Returns the failure of a job's image that means no chroot, and that jobs may not pull, with the chroots that they may
 * use and the line that would allow it.
 *
 * @param image The image as the job wrote it.
 * @throws {Failure} of the host where the store's disk is not mounted.
 */
export async function unknownJobImage(host: Host, config: Config, image: string): Promise<Error> {
  await refuseUnmounted(host, config.store);
  const reference = parseReference(image);
  const names = chrootNamesIn(image);
  if (reference === null && names.length === 0) namesOfImage(image);
  const entries = (await listChroots(host, config)).filter(({ name }) => isAllowed(config, name));
  const reason = names.length === 0 ? noChrootReason(image) : "no such chroot";
  return refused(
    `Cannot use image ${JSON.stringify(image)}: ${reason}${
      reference === null ? "" : ", and pull does not allow it"
    }`,
    [
      readyNames("Available chroots", entries),
      ...(names.length === 0 ? [] : [creation(entries, names)]),
      ...(reference === null ? [] : [pullPermission(config, reference)]),
    ].join(". "),
  );
}

function creation(entries: readonly ChrootEntry[], names: readonly string[]): string {
  const defined = entries.find(({ name }) => names.includes(name))?.name;
  return `To make this one: nspawn-runner chroot-create ${defined ?? names[0]}`;
}

/**
 * Returns the failure of an image that jobs may not use, with the chroots that they may use.
 *
 * @param image The image as it was written.
 */
export async function deniedImage(host: Host, config: Config, image: string): Promise<Error> {
  const entries = (await listChroots(host, config)).filter(({ name }) => isAllowed(config, name));
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
