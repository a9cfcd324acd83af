/** The keys of a job's caches. */

import { normalize } from "@std/path/posix";
import { sha256 } from "../../text/hash.ts";
import type { PipelineCache, Snapshot } from "../model.ts";
import type { JobVariables } from "./variables.ts";

/** GitLab's key of a cache without one, and of files that do not exist. */
const DEFAULT_KEY = "default";

/**
 * Returns the keys of a cache, best first: its own, those of `fallback_keys`, and CACHE_FALLBACK_KEY.
 *
 * The key of files is a hash of their contents in the snapshot, while GitLab takes the last commits that changed them: so
 * changes that are not committed count.
 */
export async function cacheKeys(
  { key, fallbackKeys }: PipelineCache,
  variables: JobVariables,
  snapshot: Pick<Snapshot, "hashFiles">,
): Promise<string[]> {
  const own = typeof key === "string"
    ? variables.expand(key)
    : await keyOfFiles(key.files.map(variables.expand), variables.expand(key.prefix), snapshot);
  const others = [...fallbackKeys.map(variables.expand), variables.get("CACHE_FALLBACK_KEY") ?? ""];
  return [...new Set([sanitized(own) || DEFAULT_KEY, ...others.map(sanitized)])]
    .filter((one) => one !== "");
}

async function keyOfFiles(
  files: readonly string[],
  prefix: string,
  snapshot: Pick<Snapshot, "hashFiles">,
): Promise<string> {
  const hash = await snapshot.hashFiles(files) ?? DEFAULT_KEY;
  return prefix === "" ? hash : `${prefix}-${hash}`;
}

/** Returns a key as GitLab Runner makes a path of it: cache/cachekey/cachekey.go. */
function sanitized(key: string): string {
  const decoded = key.replaceAll(/%2f|\\/gi, "/").replaceAll(/%2e/gi, ".");
  const parts = normalize(`/${decoded}`).split("/").filter((part) => part !== "");
  while (parts.length > 0) {
    const last = parts.pop()!.trimEnd();
    if (last !== "") return [...parts, last].join("/");
  }
  return "";
}

/** Returns the name of the folder that has the cache of a key: any key, within the length that names of files may have. */
export async function cacheFolderName(key: string): Promise<string> {
  const name = encodeURIComponent(key.toWellFormed()).replace(/^\./, "%2E");
  return name.length <= 200 ? name : `${name.slice(0, 100)}-${await sha256(key)}`;
}
