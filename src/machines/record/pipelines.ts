/** The files of pipelines that run on a working copy, without GitLab. */

import { basename, join } from "@std/path/posix";
import type { Host } from "../../host/host.ts";
import { PIPELINE_CACHES } from "./caches.ts";

/** Returns the folder of all pipelines, for root alone. */
export function pipelinesFolder(store: string): string {
  return join(store, ".pipelines");
}

/** Its file that a pipeline locks while it runs. */
const LOCK = "lock";

/** Prefix of a folder that is not locked yet. */
const NEW_PREFIX = ".new-";

/** Milliseconds after which the maker of such a folder was killed. */
const LOCK_TIME = 60_000;

/** Runs an action with a new folder for the files of a pipeline, and removes the folder afterwards. */
export async function withPipelineFolder<T>(
  host: Host,
  store: string,
  act: (folder: string) => Promise<T>,
): Promise<T> {
  const id = crypto.randomUUID();
  const [unlocked, folder] = [`${NEW_PREFIX}${id}`, id].map((name) =>
    join(pipelinesFolder(store), name)
  ) as [string, string];
  await host.files.makeDirectory(unlocked);
  const lock = await host.files.lock(join(unlocked, LOCK));
  await host.files.rename(unlocked, folder);
  try {
    return await act(folder);
  } finally {
    await host.files.removeTree(folder);
    lock?.release();
  }
}

/** Returns the folders of pipelines that were killed. */
export async function abandonedPipelines(host: Host, store: string): Promise<string[]> {
  const abandoned: string[] = [];
  for (const name of await host.files.list(pipelinesFolder(store))) {
    const folder = join(pipelinesFolder(store), name);
    if (name === basename(PIPELINE_CACHES.name)) continue;
    if (await isAbandoned(host, folder)) abandoned.push(folder);
  }
  return abandoned;
}

async function isAbandoned(host: Host, folder: string): Promise<boolean> {
  if (basename(folder).startsWith(NEW_PREFIX)) {
    const made = (await host.files.lstat(folder))?.modified?.getTime();
    return made !== undefined && host.clock.now() - made > LOCK_TIME;
  }
  const lock = await host.files.lock(join(folder, LOCK)).catch(() => null); // it may end just now
  lock?.release();
  return lock !== null;
}
