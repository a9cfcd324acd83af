/** Pulls an image into the store: copies its layers, and records what machines need to know of it. */

import { join } from "@std/path/posix";
import type { Config } from "../../config/settings.ts";
import { hostFailure, messageOf, refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { BOOT_ID, readKernel } from "../../linux/proc.ts";
import { syncTree } from "../../linux/tree.ts";
import type { Lower } from "../../machines/record/lower.ts";
import { refuseUnmounted } from "../../machines/record/refuse_unmounted.ts";
import { refuseOtherHost } from "../../machines/record/store_owner.ts";
import { formatSize } from "../../text/size.ts";
import type { ImageRequest } from "../request/image_request.ts";
import { canonicalName } from "../request/reference.ts";
import { type Copy, registerWaiter, type Waiter, waitForPull } from "./copy.ts";
import { copyWithinReserve } from "./copy_within_reserve.ts";
import { digestOf } from "./digest.ts";
import { copyFacts } from "./facts.ts";
import { parsePulledConfig } from "./image_config.ts";
import { refuseManyLayers } from "./layer_limit.ts";
import { removeImageLeftovers } from "./leftovers.ts";
import { type ImageContent, type ImageManifestConfig, readLibrary } from "./library.ts";
import {
  factsPath,
  type ImageId,
  imageId,
  imagePaths,
  type PullPaths,
  pullPaths,
} from "./paths.ts";
import { isDiskFull, pullFailure } from "./pull_failure.ts";
import { type ImageRecord, lowerOf, readImage, type StoredImage, writeRecord } from "./record.ts";
import { deleteLibraryImage, recordedHashes } from "./remove.ts";
import { beginPull } from "./repair.ts";
import { retryNetwork } from "./retry.ts";
import { copyArgv, inLibrary, needsCertificate, PASSWORD_DESCRIPTOR, sourceOf } from "./skopeo.ts";
import { whileLibraryLocked } from "./store_lock.ts";
import { canHoldLayers, GZIP_OPTION, layoutIn, takeTree, unpackArgv } from "./whole_tree.ts";

/**
 * Pulls an image, unless another job has pulled it meanwhile.
 *
 * @param digest That of the image at the registry, which is pulled even if the tag moves now.
 * @throws {Failure} as obtainImage().
 */
export async function pullImage(
  host: Host,
  config: Pick<Config, "store" | "disk_reserve">,
  request: ImageRequest,
  digest: string,
  interrupt: AbortSignal,
): Promise<StoredImage> {
  const { store, disk_reserve: reserve } = config;
  const id = imageId(digest, request.platform);
  const pull = { store, reserve, request, digest, id, paths: pullPaths(store, id) };
  await refuseUnmounted(host, store); // a pull precedes all else that a job makes in the store
  await refuseOtherHost(host, store);
  await host.files.makeDirectory(store, 0o755);
  await host.files.makeDirectory(imagePaths(store).folder);
  await host.files.chmod(imagePaths(store).folder, 0o700);
  try {
    return await pullOnce(host, pull, interrupt);
  } catch (error) {
    if (isDiskFull(messageOf(error))) await removeIncomplete(host, store);
    throw error;
  }
}

/** Removes the layers of an image that did not fit, unless other images are being pulled: gc does it later. */
async function removeIncomplete(host: Host, store: string): Promise<void> {
  try {
    await removeImageLeftovers(host, store);
  } catch (error) {
    host.log.warn(messageOf(error)); // the failure of the pull is thrown
  }
}

/** Pulls an image; waits for another job that pulls it. */
async function pullOnce(host: Host, pull: Pull, interrupt: AbortSignal): Promise<StoredImage> {
  const { store, request: { reference }, id, paths } = pull;
  const waiter = await registerWaiter(host, paths);
  try {
    const lock = await waitForPull(host, reference, paths, interrupt);
    try {
      return await readImage(host, store, id, [canonicalName(reference)]) ??
        await pullLocked(host, pull, waiter, interrupt);
    } finally {
      lock.release();
    }
  } finally {
    await waiter.end();
  }
}

/** A pull of an image. */
interface Pull {
  readonly store: string;
  /** Bytes of the disk that stay free. */
  readonly reserve: number;
  readonly request: ImageRequest;
  readonly digest: string;
  readonly id: ImageId;
  readonly paths: PullPaths;
}

async function pullLocked(
  host: Host,
  pull: Pull,
  waiter: Waiter,
  interrupt: AbortSignal,
): Promise<StoredImage> {
  const { store, id, request: { reference, platform }, paths } = pull;
  const began = host.clock.monotonic();
  const suffix = platform === null ? "" : ` for platform ${platform}`;
  host.log.info(`Pulling image ${reference.written}${suffix} (${pull.digest})`);
  const boot = (await readKernel(host, BOOT_ID)).trim();
  await beginPull(host, store, id, boot, interrupt);
  const isLayered = await canHoldLayers(host, store);
  const copy = isLayered ? layersCopy(pull) : await treeCopy(host, pull);
  const record = await retryNetwork(host, interrupt, async () => {
    const reason = await copyWithinReserve(host, store, copy, waiter, interrupt);
    if (reason !== null) return { value: null, failed: pullFailure(reference, reason) };
    const record = await recordImage(host, pull, isLayered, interrupt);
    return { value: record, failed: record === null ? pullFailure(reference, LOST) : null };
  });
  await host.files.remove(paths.boot);
  await host.files.removeTree(paths.scratch);
  const seconds = ((host.clock.monotonic() - began) / 1000).toFixed(1);
  const size = formatSize(record!.size);
  host.log.info(`Pulled image ${reference.written} in ${seconds} s (${size} in its layers)`);
  const image = await readImage(host, store, id, [canonicalName(reference)]);
  if (image === null) throw pullFailure(reference, LOST).failure;
  return image;
}

/** As the library words it; another attempt may succeed. */
const LOST = "layer not known";

function layersCopy(pull: Pull): Copy {
  const { store, reserve, request, id, paths } = pull;
  const words = copyWords(pull, [], inLibrary(store, id));
  return { paths, access: request, reserve, argv: copyArgv(paths.scratch, words) };
}

async function treeCopy(host: Host, pull: Pull): Promise<Copy> {
  const { reserve, request, paths } = pull;
  const words = copyWords(pull, [GZIP_OPTION], layoutIn(paths.scratch));
  return { paths, access: request, reserve, argv: await unpackArgv(host, paths.scratch, words) };
}

/** Returns arguments of skopeo. */
function copyWords(
  { request: { reference, platform }, digest }: Pull,
  options: readonly string[],
  to: string,
): string[] {
  return [
    ...platformOptions(platform),
    "copy",
    "--remove-signatures",
    ...options,
    `--src-authfile=${PASSWORD_DESCRIPTOR}`,
    ...needsCertificate(reference) ? [] : ["--src-tls-verify=false"],
    sourceOf({ ...reference, digest }),
    to,
  ];
}

function platformOptions(platform: string | null): string[] {
  if (platform === null) return [];
  const [os = "", architecture = "", variant] = platform.split("/");
  return [
    `--override-os=${os}`,
    `--override-arch=${architecture}`,
    ...variant === undefined ? [] : [`--override-variant=${variant}`],
  ];
}

/**
 * Records an image that was copied.
 *
 * @returns Null where the library lacks a part of it.
 */
async function recordImage(
  host: Host,
  pull: Pull,
  isLayered: boolean,
  interrupt: AbortSignal,
): Promise<ImageRecord | null> {
  const { store, id, request: { reference }, paths } = pull;
  const content = isLayered
    ? await readLibrary(host, store, id)
    : await takeTree(host, store, id, paths.scratch);
  if (content === null) return null;
  await refuseChangedLayout(host, pull, interrupt);
  if (!content.isConsistent) await refuseInconsistent(host, pull, content);
  if (isLayered && content.layers.length === 0) {
    throw refused(
      `Cannot use image ${reference.written}: it has no files`,
      "Scripts need an image with a shell",
    );
  }
  refuseManyLayers(reference, content.layers); // they could not be mounted to copy the facts
  const record = recordOf(host, pull, content);
  await makeFacts(host, pull, lowerOf(store, id, record));
  await syncTree(host, imagePaths(store).folder); // containers/storage does not
  return await whileLibraryLocked(host, store, async () => {
    // Another process may have removed an image of the same layers meanwhile.
    if (isLayered && await readLibrary(host, store, id) === null) return null;
    await writeRecord(host, store, record);
    return record;
  }, interrupt);
}

/** Of a folder, skopeo copies what is there now. */
async function refuseChangedLayout(
  host: Host,
  { request, digest }: Pull,
  interrupt: AbortSignal,
): Promise<void> {
  const { written, layout } = request.reference;
  if (layout === undefined || await digestOf(host, request, interrupt) === digest) return;
  throw hostFailure(`Cannot pull image ${written}: it was changed just now`, "Try again");
}

/**
 * Refuses an image whose layers are not those of its configuration, and deletes it: the library knows images by the hash of
 * their configuration, so that another image could not be pulled whose configuration this one has taken.
 */
async function refuseInconsistent(
  host: Host,
  { store, request: { reference } }: Pull,
  { library }: ImageContent,
): Promise<never> {
  await whileLibraryLocked(host, store, async () => {
    if (library === null || (await recordedHashes(host, store)).has(library)) return;
    await deleteLibraryImage(host, store, library);
  });
  throw refused(
    `Cannot use image ${reference.written}: its layers are not those that its configuration names`,
    "Build it again",
  );
}

async function makeFacts(host: Host, { store, id, paths }: Pull, lower: Lower): Promise<void> {
  const [mountPoint, aside] = [join(paths.folder, "view"), join(paths.folder, "facts")];
  await host.files.makeDirectory(mountPoint);
  await host.files.removeTree(aside);
  await copyFacts(host, lower, mountPoint, aside);
  await host.files.makeDirectory(imagePaths(store).facts);
  await host.files.removeTree(factsPath(store, id)); // a process was killed before it wrote the record
  await host.files.rename(aside, factsPath(store, id));
}

function recordOf(
  host: Host,
  { digest, request: { platform } }: Pull,
  { library, layers, config, size }: ImageContent,
): ImageRecord {
  return {
    version: 1,
    digest,
    asked: platform,
    platform: platformIn(config),
    library,
    layers,
    config: parsePulledConfig(config.config),
    size,
    pulled: new Date(host.clock.now()).toISOString(),
  };
}

function platformIn({ os, architecture, variant }: ImageManifestConfig): string {
  return [os, architecture, variant].filter((word) => typeof word === "string" && word !== "")
    .join("/");
}
