/** The time zone of programs that run in a tree: the host's if the tree has that zone, else the tree's own. */

import { join } from "@std/path/posix";
import type { Host } from "../host/host.ts";

/** The target of /etc/localtime: localtime(5). */
const ZONE = /^(?:\.\.)?\/usr\/share\/zoneinfo\/([A-Za-z0-9_+-]+(?:\/[A-Za-z0-9_+-]+)*)$/;

/**
 * Returns the options of systemd-nspawn(1) for a tree; none where its default is right. By default, nspawn binds the
 * host's zone over /etc/localtime of a tree without tzdata, read-only, so that tzdata cannot be installed there.
 */
export async function timezoneOptions(host: Host, tree: string): Promise<string[]> {
  const zone = (await host.files.readLink("/etc/localtime"))?.match(ZONE)?.[1];
  const hasZone = zone !== undefined &&
    await host.files.lstat(join(tree, "usr/share/zoneinfo", zone)) !== null;
  return hasZone ? [] : KEEP_TIME_ZONE;
}

/** The tree keeps its own time zone. */
export const KEEP_TIME_ZONE = ["--timezone=off"];
