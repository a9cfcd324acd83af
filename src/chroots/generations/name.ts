/** Names of chroots, and how an image name leads to one. */

import { refused } from "../../failure.ts";

declare const checked: unique symbol;

/** A name that is safe as one component of a path. */
export type ChrootName = string & { readonly [checked]: "ChrootName" };

const SHAPE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Names that mean something else where definitions live. */
const RESERVED: ReadonlySet<string> = new Set(["config"]);

/** The rule, in words for messages. */
export const NAME_RULE =
  "a name has letters, digits, '.', '_' and '-', begins with a letter or digit, has no '..' and at most 64 characters";

/**
 * Whether a text is a chroot's name.
 *
 * @param text Any text.
 * @returns True for a safe name.
 */
export function isChrootName(text: string): text is ChrootName {
  return SHAPE.test(text) && !text.includes("..") && !RESERVED.has(text);
}

/**
 * The chroots that an image may mean, best first: `registry.example/ci/debian:bookworm` means
 * `debian-bookworm`, then `bookworm`.
 *
 * @param image What a job or a person wrote.
 * @returns At least one name.
 * @throws {Failure} where no name can come of it.
 */
export function namesOfImage(image: string): ChrootName[] {
  if (image.includes("@")) {
    throw refused(
      `Cannot use image ${JSON.stringify(image)}: a chroot has no digest`,
      "Name the chroot alone, without '@'",
    );
  }
  const last = lastComponent(image);
  const [repository = "", tag, ...more] = last.split(":");
  if (more.length > 0 || tag === "") throw notAnImage(image);
  const names = tag === undefined ? [repository] : [`${repository}-${tag}`, tag];
  const valid = names.filter(isChrootName);
  // Both parts must be sound: `../x:bookworm` is an attack, not another way to say bookworm.
  if (!isChrootName(repository) || valid.length === 0) throw notAnImage(image);
  return valid;
}

/** What follows the registry and its folders. A path of the host is no image. */
function lastComponent(image: string): string {
  const parts = image.split("/");
  if (!parts.slice(0, -1).every(isRegistryPart)) throw notAnImage(image);
  return parts.at(-1) ?? "";
}

function isRegistryPart(part: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._:-]*$/.test(part) && !part.includes("..");
}

function notAnImage(image: string): Error {
  return refused(`Cannot use image ${JSON.stringify(image)}: it names no chroot`, NAME_RULE);
}
