/** What the config stage answers: GitLab Runner reads it as JSON from stdout. */

import { VERSION } from "../version.ts";

/** Where jobs work inside a machine. */
export const BUILDS_DIR = "/builds";
/** Where a job's cache is kept inside a machine. */
export const CACHE_DIR = "/cache";

/** GitLab Runner's field names. */
export interface ConfigAnswer {
  readonly driver: { readonly name: string; readonly version: string };
  readonly builds_dir: string;
  readonly cache_dir: string;
  readonly builds_dir_is_shared: false;
}

/**
 * The answer to the config stage.
 *
 * @returns An object to be printed as JSON.
 */
export function configAnswer(): ConfigAnswer {
  return {
    driver: { name: "nspawn-runner", version: VERSION },
    builds_dir: BUILDS_DIR,
    cache_dir: CACHE_DIR,
    builds_dir_is_shared: false,
  };
}
