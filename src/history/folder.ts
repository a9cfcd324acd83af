/** The files of the history: one for each day, so that old ones are removed without a change of the others. */

import { join } from "@std/path/posix";
import type { Host } from "../host/host.ts";

/** Returns the folder of a store's history. */
export function historyFolder(store: string): string {
  return join(store, ".history");
}

/** Returns the file with the records of the jobs that ended on a day, as `2030-01-31`. */
export function dayFile(store: string, day: string): string {
  return join(historyFolder(store), `${day}.jsonl`);
}

/** Returns the day of a time in UTC. */
export function dayOf(time: string): string {
  return time.slice(0, 10);
}

/** Returns the bytes of the history. */
export async function historySize(host: Host, store: string): Promise<number> {
  const days = await listDays(host, store);
  const sizes = await Promise.all(
    days.map(async (day) => (await host.files.lstat(dayFile(store, day)))?.size ?? 0),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Returns the days that have a file, the first one first. */
export async function listDays(host: Host, store: string): Promise<string[]> {
  const entries = await host.files.list(historyFolder(store));
  return entries.filter((entry) => /^\d{4}-\d\d-\d\d\.jsonl$/.test(entry)).map(dayOf);
}
