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
 * Returns the chroots that an image can mean, at least one, the preferred one first:
 * `registry.example/ci/debian:bookworm` means `debian-bookworm`, or else `bookworm`.
 *
 * @throws {Failure} if the image cannot mean a chroot.
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
  // Both parts must be valid: `../x:bookworm` is an attack, not another name of bookworm.
  if (!isChrootName(repository) || valid.length === 0) throw notAnImage(image);
  return valid;
}

/** Returns what follows the registry and its folders; a path of the host is no image. */
function lastComponent(image: string): string {
  const parts = image.split("/");
  if (!parts.slice(0, -1).every(isRegistryPart)) throw notAnImage(image);
  return parts.at(-1) ?? "";
}

function notAnImage(image: string): Error {
  return refused(`Cannot use image ${JSON.stringify(image)}: it names no chroot`, NAME_RULE);
}
