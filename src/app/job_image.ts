/** What the image of a job means: a chroot of the administrator, else an image of a registry that `pull` allows. */

import type { Chroot } from "../chroots/find/chroot.ts";
import { findForJob } from "../chroots/find/resolve.ts";
import type { Config } from "../config/settings.ts";
import type { ImageOptions } from "../gitlab/image_options.ts";
import type { Job } from "../gitlab/job.ts";
import type { Host } from "../host/host.ts";
import type { ImageRequest } from "../images/request/image_request.ts";

/** A chroot, or an image that is to be pulled. */
export type JobImage =
  | { readonly kind: "chroot"; readonly chroot: Chroot }
  | { readonly kind: "pulled"; readonly request: ImageRequest };

/**
 * Finds what a job's image means, with its credentials at the registry.
 *
 * @param job Null where a person calls.
 * @param image As the job or the command line names it.
 * @param options What the job asks for with the image, if that is a service's.
 * @throws {Failure} where it means nothing that the job may use.
 */
export async function resolveJobImage(
  host: Host,
  config: Config,
  job: Job | null,
  image: string,
  options?: ImageOptions,
): Promise<JobImage> {
  const chroot = await findForJob(host, config, image);
  if (chroot !== null) return { kind: "chroot", chroot };
  return await resolvePulledImage(host, config, job, image, options);
}

/**
 * Returns what a job asks for with an image that means no chroot, with its credentials at the registry.
 *
 * @throws {Failure} as {@linkcode resolveJobImage}.
 */
export async function resolvePulledImage(
  host: Host,
  config: Config,
  job: Job | null,
  image: string,
  options?: ImageOptions,
): Promise<JobImage> {
  const { requestImage } = await import("../images/request/image_request.ts");
  const request = await requestImage(host, config, job, image, options);
  if (request !== null) return { kind: "pulled", request };
  return await refuseUnknown(host, config, image);
}

/**
 * Checks a job's image as far as that is possible without any registry and its credentials.
 *
 * @returns The chroot that it means; null where it is to be pulled.
 * @throws {Failure} as {@linkcode resolveJobImage}.
 */
export async function checkJobImage(
  host: Host,
  config: Config,
  job: Job | null,
  image: string,
  options?: ImageOptions,
): Promise<Chroot | null> {
  const chroot = await findForJob(host, config, image);
  if (chroot !== null) return chroot;
  const { checkRequest } = await import("../images/request/image_request.ts");
  const isAllowed = await checkRequest(host, config, job, image, options) !== null;
  return isAllowed ? null : await refuseUnknown(host, config, image);
}

async function refuseUnknown(host: Host, config: Config, image: string): Promise<never> {
  const { unknownJobImage } = await import("../chroots/find/image_failures.ts");
  throw await unknownJobImage(host, config, image);
}
