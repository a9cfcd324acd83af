/** The caches of a job: archives of this host, by keys. */

import { dirname, join } from "@std/path/posix";
import type { Stage } from "../../gitlab/runner_job.ts";
import type { Host } from "../../host/host.ts";
import type { PipelineCache, Snapshot } from "../model.ts";
import { archiveLines, archiveName, type Archiver } from "./archives.ts";
import { cacheFolderName, cacheKeys } from "./cache_keys.ts";
import type { ResultFiles } from "./results.ts";
import { notice, print, warning } from "./shell.ts";
import type { JobVariables } from "./variables.ts";

/** A cache of a job. */
export interface JobCache {
  readonly cache: PipelineCache;
  readonly key: string;
  /** Its archive, which may not exist yet. */
  readonly file: string;
  /** The key and the archive that the job gets; null for none. */
  readonly found: { readonly key: string; readonly file: string } | null;
}

/** What the caches of a job are made of. */
export interface CacheSources {
  readonly caches: readonly PipelineCache[];
  readonly variables: JobVariables;
  readonly snapshot: Snapshot;
  /** The folder of all caches of the working copy, with a folder for each key. */
  readonly folder: string;
  readonly archiver: Archiver;
}

/** Finds the caches of a job. */
export async function findCaches(host: Host, sources: CacheSources): Promise<JobCache[]> {
  const { caches, variables, snapshot, folder, archiver } = sources;
  const archive = archiveName("cache", archiver);
  const used = caches.filter(({ paths, untracked }) => paths.length > 0 || untracked);
  return await Promise.all(used.map(async (cache) => {
    const keys = await cacheKeys(cache, variables, snapshot);
    const files = await Promise.all(
      keys.map(async (key) => join(folder, await cacheFolderName(key), archive)),
    );
    let found: JobCache["found"] = null;
    for (const [place, file] of files.entries()) {
      if (cache.policy === "push" || found !== null) break;
      if (await host.files.stat(file) === null) continue;
      await host.files.touch(dirname(file), host.clock.now()); // gc removes each key by its use
      found = { key: keys[place]!, file };
    }
    return { cache, key: keys[0]!, file: files[0]!, found };
  }));
}

/** Returns lines that tell of caches that no stage unpacks. */
export function missingCacheLines(caches: readonly JobCache[]): string[] {
  return caches.filter(({ found }) => found === null).map(({ cache, key }) =>
    cache.policy === "push"
      ? notice(`Not downloading cache ${key} due to policy`)
      : warning(`Cache ${key} does not exist yet`)
  );
}

/** Returns the stages that save caches. */
export function cacheStages(
  host: Host,
  caches: readonly JobCache[],
  script: (lines: readonly string[]) => Stage["script"],
  sources: Pick<CacheSources, "variables" | "archiver"> & { readonly results: ResultFiles },
  output: (line: string) => void,
): Stage[] {
  return caches.flatMap(({ cache, key, file }, index) => {
    if (cache.policy === "pull") return [];
    const lines = [
      `${print(notice(`Creating cache ${key}...`))} >&2`,
      ...archiveLines(sources.archiver, { ...cache, exclude: [] }, sources.variables),
    ];
    const stdout = join(sources.results.caches, `${index}`);
    const stage = (name: string, when: Stage["when"]): Stage => ({
      ...{ name, when, stdout, counts: false, script: script(lines) },
      onEnd: async (code) => output(await keepCache(host, stdout, file, code === 0)),
    });
    return [
      ...(cache.when === "on_failure" ? [] : [stage("archive_cache", "success")]),
      ...(cache.when === "on_success" ? [] : [stage("archive_cache_on_failure", "failure")]),
    ];
  });
}

/** Makes what a stage printed the cache of a key, and returns a line that tells of it. */
async function keepCache(
  host: Host,
  printed: string,
  file: string,
  succeeded: boolean,
): Promise<string> {
  const size = (await host.files.stat(printed))?.size ?? 0;
  if (succeeded && size > 0) {
    await host.files.chmod(printed, 0o644); // users of machines read it
    await host.files.makeDirectory(dirname(file));
    await host.files.rename(printed, file);
    return notice("Created cache");
  }
  await host.files.remove(printed);
  return warning(succeeded ? "No files to cache" : "Failed to create cache");
}
