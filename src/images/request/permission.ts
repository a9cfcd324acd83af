/** What the administrator can change where `pull` does not allow an image. */

import type { Config } from "../../config/settings.ts";
import { matchesPatterns, patternFor } from "./patterns.ts";
import { parseReference, type Reference } from "./reference.ts";

/** Returns the line of the configuration that would allow an image, or the one that excludes it. */
export function pullPermission(
  { pull, file }: Pick<Config, "pull" | "file">,
  reference: Reference,
): string {
  const wider = [...pull, patternFor(reference)];
  // A pattern that excludes the image counts before all others.
  return matchesPatterns(wider, reference)
    ? `To let jobs pull it: ${pullLine(wider)} in ${file}`
    : `It is excluded by ${pullLine(pull)} in ${file}`;
}

/** Returns a hint for a person whose image `pull` does not allow. */
export function pullHint(config: Pick<Config, "pull" | "file">, image: string): string {
  const reference = parseReference(image);
  return reference === null
    ? "Name an image of a registry: [REGISTRY/]REPOSITORY[:TAG][@DIGEST]"
    : pullPermission(config, reference);
}

function pullLine(patterns: readonly string[]): string {
  return `pull = [${patterns.map((pattern) => JSON.stringify(pattern)).join(", ")}]`;
}
