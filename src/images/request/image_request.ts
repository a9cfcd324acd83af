/** What a job asks for with an image of a registry, checked before anything is pulled. */

import type { Config } from "../../config/settings.ts";
import type { ImageOptions } from "../../gitlab/image_options.ts";
import type { Job } from "../../gitlab/job.ts";
import type { Host } from "../../host/host.ts";
import type { Logins } from "./credentials.ts";
import { jobUser } from "./job_user.ts";
import { matchesPatterns } from "./patterns.ts";
import { effectivePolicies, type PullPolicy } from "./policies.ts";
import { parseReference, type Reference } from "./reference.ts";
import { expandVariables } from "./variables.ts";

/** An image to be obtained, and how its programs are to be run. */
export interface ImageRequest extends Logins {
  readonly reference: Reference;
  /** `linux/arm64`; null for the host's own. */
  readonly platform: string | null;
  /** To be tried in this order, at least one. */
  readonly policies: readonly PullPolicy[];
  /** The user that the job names, `USER[:GROUP]`; null for the image's. */
  readonly user: string | null;
  /** Empty for none; null for the image's. */
  readonly entrypoint: readonly string[] | null;
}

/** Which image is fetched, and by whose credentials. */
export type ImageAccess = Pick<ImageRequest, "reference" | keyof Logins>;

/** A person names an image alone. */
const NO_OPTIONS: ImageOptions = { entrypoint: null, pullPolicies: [], user: null, platform: null };

/**
 * Returns what a job asks for with an image.
 *
 * @param job Null where a person calls.
 * @param image As the job or the command line names it.
 * @param options What the job asks for with the image, if that is not its own one.
 * @returns Null where no pattern of `pull` allows the image.
 * @throws {Failure} where the host does not grant what the job asks for.
 */
export async function requestImage(
  host: Host,
  config: Config,
  job: Job | null,
  image: string,
  options?: ImageOptions,
): Promise<ImageRequest | null> {
  const checked = await checkRequest(host, config, job, image, options);
  if (checked === null) return null;
  const { findLogins } = await import("./credentials.ts");
  return { ...checked, ...await findLogins(host, job, checked.reference) };
}

/** Returns all of {@linkcode requestImage} but the credentials: the config stage needs none. */
export async function checkRequest(
  host: Host,
  config: Config,
  job: Job | null,
  image: string,
  options: ImageOptions = job?.imageOptions ?? NO_OPTIONS,
): Promise<Omit<ImageRequest, keyof Logins> | null> {
  const reference = parseReference(image);
  if (reference === null || !matchesPatterns(config.pull, reference)) return null;
  const { entrypoint, pullPolicies, platform } = options;
  return {
    reference,
    platform: platform === null ? null : await platformOf(host, platform),
    policies: effectivePolicies(config, pullPolicies),
    user: jobUser(host, options),
    entrypoint: entrypointOf(entrypoint),
  };
}

/** Few jobs name a platform. */
async function platformOf(host: Host, asked: string): Promise<string | null> {
  const { checkPlatform } = await import("./platform.ts");
  const platform = expandVariables(host, asked);
  return platform === "" ? null : await checkPlatform(host, platform);
}

/** Docker's API ignores an empty list, and one empty word clears the image's entrypoint. */
function entrypointOf(words: readonly string[] | null): readonly string[] | null {
  if (words === null || words.length === 0) return null;
  return words.length === 1 && words[0] === "" ? [] : words;
}
