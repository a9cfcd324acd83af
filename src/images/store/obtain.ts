/** Gives jobs the images that they ask for, by pull policy. */

import type { Config } from "../../config/settings.ts";
import { Failure, messageOf, refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { requireProgram } from "../../linux/tool.ts";
import type { ImageRequest } from "../request/image_request.ts";
import type { PullPolicy } from "../request/policies.ts";
import { canonicalName, type Reference } from "../request/reference.ts";
import { digestOf } from "./digest.ts";
import { type ImageId, imageId } from "./paths.ts";
import {
  findName,
  listNames,
  markUsed,
  type NamedImage,
  readImage,
  type StoredImage,
  writeName,
} from "./record.ts";

/**
 * Returns the image that a job asks for, pulled where its policies demand it. The caller writes a lease that names it,
 * and then looks whether it is still there.
 *
 * @param interrupt Ends the pull when aborted, unless another job waits for the same image.
 * @throws {Failure} `refused` where the registry does not have the image, or denies access.
 * @throws {Failure} of the host where the registry or the network fails, or the disk is full.
 */
export async function obtainImage(
  host: Host,
  config: Config,
  request: ImageRequest,
  interrupt: AbortSignal,
): Promise<StoredImage> {
  const { policies, reference } = request;
  for (const [index, policy] of policies.entries()) {
    host.log.info(`Using pull policy ${policy} for image ${reference.written}`);
    try {
      const image = await BY_POLICY[policy](host, config, request, interrupt);
      await markUsed(host, config.store, image.id);
      return image;
    } catch (error) {
      const isLast = index === policies.length - 1;
      if (isLast || interrupt.aborted || !(error instanceof Failure)) throw error;
      host.log.warn(`${messageOf(error)}; trying the next pull policy`);
    }
  }
  throw new Error("a request has no pull policy");
}

type Obtain = (
  host: Host,
  config: Config,
  request: ImageRequest,
  interrupt: AbortSignal,
) => Promise<StoredImage>;

const BY_POLICY: Readonly<Record<PullPolicy, Obtain>> = {
  always: fromRegistry,
  "if-not-present": async (host, config, request, interrupt) =>
    await findPresent(host, config, request) ??
      await fromRegistry(host, config, request, interrupt),
  never: async (host, config, request) => {
    const image = await findPresent(host, config, request);
    if (image !== null) return image;
    const { written } = request.reference;
    throw refused(
      `Cannot use image ${written}: it is not on this host, and pull policy never does not pull it`,
      `The administrator can pull it: nspawn-runner image-pull ${written}`,
    );
  },
};

/** Returns the image of that name that was pulled last; null where there is none. */
async function findPresent(
  host: Host,
  { store }: Config,
  { reference, platform }: ImageRequest,
): Promise<StoredImage | null> {
  const name = canonicalName(reference);
  const id = reference.digest === null
    ? await findName(host, store, name, platform)
    : await idOfDigest(host, store, reference, platform);
  const image = id === null ? null : await readImage(host, store, id, [name]);
  if (image !== null) logUsed(host, reference.written, image);
  return image;
}

/**
 * Returns the id of an image that a job names by its digest; null where it was pulled from no tag or digest of that
 * repository: by the digest alone, a job would get images that `pull` does not allow.
 */
async function idOfDigest(
  host: Host,
  store: string,
  reference: Reference,
  platform: string | null,
): Promise<ImageId | null> {
  const { registry, repository, digest } = reference;
  const id = imageId(digest ?? "", platform);
  if (await findName(host, store, canonicalName(reference), platform) === id) return id;
  const repositories = [":", "@"].map((separator) => `${registry}/${repository}${separator}`);
  const isOfRepository = ({ name }: NamedImage) =>
    repositories.some((beginning) => name.startsWith(beginning));
  const names = await listNames(host, store);
  return names.some((named) => named.id === id && isOfRepository(named)) ? id : null;
}

function logUsed(host: Host, written: string, { digest }: StoredImage): void {
  host.log.info(`Using the copy of image ${written} on this host (${digest})`);
}

/** Asks the registry which image it has by that name, and pulls that one where it is not in the store. */
async function fromRegistry(
  host: Host,
  config: Config,
  request: ImageRequest,
  interrupt: AbortSignal,
): Promise<StoredImage> {
  await requireProgram(host, "skopeo");
  const digest = await digestOf(host, request, interrupt);
  return await obtainByDigest(host, config, request, digest, interrupt);
}

/**
 * Returns the image with a digest, pulled where it is not in the store.
 *
 * @param digest That of the image which the registry has by the name of the request.
 * @param interrupt As that of {@linkcode obtainImage}.
 * @throws {Failure} as {@linkcode obtainImage}.
 */
export async function obtainByDigest(
  host: Host,
  config: Config,
  request: ImageRequest,
  digest: string,
  interrupt: AbortSignal,
): Promise<StoredImage> {
  const { store } = config;
  const { reference, platform } = request;
  const id = imageId(digest, platform);
  let image = await findKnown(host, store, id, request);
  if (image === null) {
    // Loaded only by jobs whose image is not in the store.
    const { pullImage } = await import("./pull.ts");
    image = await pullImage(host, config, request, digest, interrupt);
  }
  const name = canonicalName(reference);
  if (reference.layout === undefined) await writeName(host, store, { name, platform, id });
  return image;
}

/** Returns the image with an id; null where it is not in the store. */
async function findKnown(
  host: Host,
  store: string,
  id: ImageId,
  { reference }: ImageRequest,
): Promise<StoredImage | null> {
  const image = await readImage(host, store, id, [canonicalName(reference)]);
  if (image !== null) logUsed(host, reference.written, image);
  return image;
}
