/** The time zone of what runs in a tree: the host's, where the tree knows it; else the tree's own. */

import { join } from "@std/path/posix";
import type { Host } from "../host/host.ts";

/** Where /etc/localtime leads: localtime(5). */
const ZONE = /^(?:\.\.)?\/usr\/share\/zoneinfo\/([A-Za-z0-9_+-]+(?:\/[A-Za-z0-9_+-]+)*)$/;

/**
 * Options of systemd-nspawn(1). By itself it binds the host's zone over /etc/localtime of a tree that has
 * no tzdata, read-only and busy, so that whoever installs that package there fails.
 *
 * @param host The outside.
 * @param tree What it runs in.
 * @returns None where nspawn makes a link.
 */
export async function timezoneOptions(host: Host, tree: string): Promise<string[]> {
  const zone = (await host.files.readLink("/etc/localtime"))?.match(ZONE)?.[1];
  const isKnown = zone !== undefined &&
    await host.files.lstat(join(tree, "usr/share/zoneinfo", zone)) !== null;
  return isKnown ? [] : KEEP_ZONE;
}

/** Leaves the tree's own time zone. */
export const KEEP_ZONE = ["--timezone=off"];
