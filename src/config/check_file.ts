/** Checks a file of settings that is not in use yet. */

import { basename } from "@std/path/posix";
import { refused } from "../failure.ts";
import type { Host } from "../host/host.ts";
import { loadConfig, parseDefinition, readText, writtenValues } from "./load.ts";
import { nearest } from "../text/nearest.ts";
import { SETTINGS } from "./schema.ts";
import type { Config, Definition } from "./settings.ts";

/** What a file holds. */
export type CheckedFile =
  | { readonly kind: "configuration"; readonly config: Config }
  | { readonly kind: "definition"; readonly definition: Definition };

/**
 * Checks a configuration or a definition. A file is a configuration if it is named config.toml, or has a key that no
 * definition may have, perhaps misspelt.
 *
 * @throws {Failure} where the program could not use it.
 */
export async function checkFile(host: Host, path: string): Promise<CheckedFile> {
  const text = await readText(host, path);
  if (text === null) {
    throw refused(`Cannot read ${path}: no such file`, "Check the path");
  }
  const keys = (await writtenValues(text, path)).map(([key]) => key);
  return basename(path) === "config.toml" || keys.some(isOfConfig)
    ? { kind: "configuration", config: await loadConfig(host, path) }
    : { kind: "definition", definition: await parseDefinition(text, path) };
}

const KEYS: readonly string[] = SETTINGS.map(({ key }) => key);

function isOfConfig(key: string): boolean {
  const meant = KEYS.includes(key) ? key : nearest(key, KEYS);
  return SETTINGS.some((setting) => setting.key === meant && setting.where === "config");
}
