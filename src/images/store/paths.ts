/** Where the store keeps pulled images. All paths are absolute. */

import { join } from "@std/path/posix";
import { sha256 } from "../../text/hash.ts";
import { RUNTIME_FOLDER } from "../../runtime_folder.ts";

/** Identifies a pulled image in its store: the digest and the platform that was asked for. It is a file's name. */
export type ImageId = string & { readonly brand: "ImageId" };

const ID = /^[0-9a-f]{64}(?:-[a-z0-9.-]+)?$/;

/** Returns whether a text is an id of an image. */
export function isImageId(text: string): text is ImageId {
  return ID.test(text);
}

/**
 * Returns the id of an image.
 *
 * @param digest `sha256:…`, of a manifest or of a list of manifests.
 * @param platform Null for the host's own.
 */
export function imageId(digest: string, platform: string | null): ImageId {
  const suffix = platform === null ? "" : `-${platform.replaceAll("/", "-")}`;
  return `${digest.slice("sha256:".length)}${suffix}` as ImageId;
}

/** The folders of all pulled images of a store. */
export interface StorePaths {
  /** The folder of all the others, for root alone: layers hold set-uid programs. */
  readonly folder: string;
  /** The layers, as containers/storage keeps them. */
  readonly storage: string;
  /** Whole trees, where the store's file system can hold no layers of an overlay. */
  readonly trees: string;
  /** The records of images, each a file. */
  readonly records: string;
  /** For each image a folder with its facts: copies of the files that the host reads. */
  readonly facts: string;
  /** For each name of an image the id of the image that the registry had by that name when it was pulled. */
  readonly names: string;
  /** For each image that is being pulled a folder. */
  readonly pulls: string;
  /** What is being removed. */
  readonly removals: string;
  /** Held by a process that changes records and layers together. */
  readonly lock: string;
}

/** Returns the folders of pulled images. */
export function imagePaths(store: string): StorePaths {
  const folder = join(store, ".images");
  return {
    folder,
    storage: join(folder, "storage"),
    trees: join(folder, "trees"),
    records: join(folder, "records"),
    facts: join(folder, "facts"),
    names: join(folder, "names"),
    pulls: join(folder, "pulls"),
    removals: join(folder, "removals"),
    lock: join(folder, "lock"),
  };
}

/** Returns the record of an image. */
export function recordPath(store: string, id: ImageId): string {
  return join(imagePaths(store).records, `${id}.json`);
}

/** Returns the folder with the facts of an image. */
export function factsPath(store: string, id: ImageId): string {
  return join(imagePaths(store).facts, id);
}

/** Returns the file that has the id of the image of a name. */
export async function namePath(
  store: string,
  name: string,
  platform: string | null,
): Promise<string> {
  return join(imagePaths(store).names, `${await sha256(`${name} ${platform ?? ""}`)}.json`);
}

/** The files of one pull. */
export interface PullPaths {
  readonly folder: string;
  /** Held by the process that pulls the image, and makes its record. */
  readonly lock: string;
  /** Held by the program that copies the image, which may outlive that process. */
  readonly copyLock: string;
  /** The output of that program. */
  readonly log: string;
  /** Has the id of the boot in which the pull began; exists only while the pull runs. */
  readonly boot: string;
  /** Temporary files, among them compressed layers. */
  readonly scratch: string;
}

/** Returns the files of the pull of an image. */
export function pullPaths(store: string, id: ImageId): PullPaths {
  const folder = join(imagePaths(store).pulls, id);
  return {
    folder,
    lock: join(folder, "lock"),
    copyLock: join(folder, "copy.lock"),
    log: join(folder, "log"),
    boot: join(folder, "boot"),
    scratch: join(folder, "scratch"),
  };
}

/** The folder of files with passwords, in memory: each exists for a moment. */
export const PASSWORD_FOLDER = join(RUNTIME_FOLDER, ".images");
