/** Names of chroots: the rule, and the names that an image can mean. */

import { refused } from "../failure.ts";
import { isRegistryPart } from "./image_reference.ts";

declare const checked: unique symbol;

/** A name that is safe as one component of a path. */
export type ChrootName = string & { readonly [checked]: "ChrootName" };

const SHAPE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** `config.toml` lies beside the definitions, `NAME.toml`. */
const RESERVED: ReadonlySet<string> = new Set(["config"]);

/** The rule, for messages. */
export const NAME_RULE =
  "a name has letters, digits, '.', '_' and '-', begins with a letter or digit, has no '..', at most 64 characters, and is not \"config\"";

/** Returns whether a text is the name of a chroot. */
export function isChrootName(text: string): text is ChrootName {
  return SHAPE.test(text) && !text.includes("..") && !RESERVED.has(text);
}

/**
 * Returns the chroots that an image can mean, the preferred one first; none where it can mean no chroot:
 * `registry.example/ci/debian:bookworm` means `debian-bookworm`, or else `bookworm`.
 */
export function chrootNamesIn(image: string): ChrootName[] {
  const parts = image.split("/");
  const [repository = "", tag, ...more] = parts.at(-1)!.split(":");
  // A path of the host is no image. Both parts must be valid: `../x:bookworm` is an attack, not another name of bookworm.
  const isImage = parts.slice(0, -1).every(isRegistryPart) && more.length === 0 && tag !== "" &&
    isChrootName(repository);
  if (!isImage) return [];
  return (tag === undefined ? [repository] : [`${repository}-${tag}`, tag]).filter(isChrootName);
}

/**
 * Returns the chroots that an image can mean, at least one, the preferred one first.
 *
 * @throws {Failure} if the image cannot mean a chroot.
 */
export function namesOfImage(image: string): ChrootName[] {
  const names = chrootNamesIn(image);
  if (names.length > 0) return names;
  throw refused(
    `Cannot use image ${JSON.stringify(image)}: ${noChrootReason(image)}`,
    image.includes("@") ? "Name the chroot alone, without '@'" : NAME_RULE,
  );
}

/** Returns why an image can mean no chroot. */
export function noChrootReason(image: string): string {
  return image.includes("@") ? "a chroot has no digest" : "it names no chroot";
}
