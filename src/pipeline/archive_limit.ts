/** How large the archives of a pipeline may be. */

import type { Host } from "../host/host.ts";
import { diskSpace } from "../linux/disk.ts";

/** Bytes that archives leave free, the default of `disk_reserve`. */
const RESERVE = 256 * 1024 ** 2;

/** Returns the most bytes of an archive in a folder; undefined where its disk does not tell. */
export async function archiveLimit(host: Host, folder: string): Promise<number | undefined> {
  const space = await diskSpace(host, folder);
  return space === null ? undefined : Math.max(0, space.free - RESERVE);
}
