/** The patterns of `pull` and `allowed_services`, which say what images jobs may use. */

import { refused } from "../../failure.ts";
import { pathGlobRegExp } from "../../text/path_glob.ts";
import { canonicalName, parseReference, type Reference } from "./reference.ts";

/**
 * Returns whether patterns allow an image: one of them matches, and none of those that begin with `!`. Each is compared
 * with the name as it was written, and with the resolved one: `ruby` is `docker.io/library/ruby:latest`.
 *
 * @throws {Failure} where one of them is invalid.
 */
export function matchesPatterns(patterns: readonly string[], reference: Reference): boolean {
  return allowNames("pull", patterns, namesOf(reference));
}

/**
 * Returns whether patterns of `allowed_services` allow a service, as {@linkcode matchesPatterns} does for images. A name
 * that no registry can have may be a chroot's.
 *
 * @throws {Failure} where one of them is invalid.
 */
export function allowsService(patterns: readonly string[], name: string): boolean {
  const reference = parseReference(name);
  return allowNames("allowed_services", patterns, reference === null ? [name] : namesOf(reference));
}

function allowNames(
  setting: string,
  patterns: readonly string[],
  names: readonly string[],
): boolean {
  const matches = (pattern: string) => {
    const expression = pathGlobRegExp(pattern) ?? refusePattern(setting, pattern);
    return names.some((name) => expression.test(name));
  };
  return patterns.some((pattern) => !pattern.startsWith("!") && matches(pattern)) &&
    !patterns.some((pattern) => pattern.startsWith("!") && matches(pattern.slice(1)));
}

/**
 * Checks all patterns of a setting.
 *
 * @throws {Failure} where one of them is invalid.
 */
export function checkPatterns(setting: string, patterns: readonly string[]): void {
  for (const pattern of patterns) {
    if (pathGlobRegExp(pattern.replace(/^!/, "")) === undefined) refusePattern(setting, pattern);
  }
}

/** To skip it could allow an image that it is meant to exclude. */
function refusePattern(setting: string, pattern: string): never {
  throw refused(
    `Cannot use ${setting}: ${JSON.stringify(pattern)} is no pattern`,
    "Correct it in the configuration",
  );
}

/** A pattern may name the tag of an image that has a digest as well. */
function namesOf(reference: Reference): string[] {
  const { written, registry, repository, tag, digest } = reference;
  const resolved = canonicalName(reference);
  return tag === null || digest === null
    ? [written, resolved]
    : [written, resolved, `${registry}/${repository}:${tag}@${digest}`];
}

/** Returns the pattern that allows all tags of an image, or all its digests where it has one. */
export function patternFor({ registry, repository, digest }: Reference): string {
  return `${registry.replaceAll(/[[\]]/g, "\\$&")}/${repository}${digest === null ? ":*" : "@*"}`;
}
