/** Machines with user ids of their own, on which most promises depend. */

import { CHROOT, newJob, type Site } from "../hosts/site.ts";
import { skip } from "../skip.ts";

/**
 * Returns a site whose machines have user ids of their own: the given one, else one on btrfs.
 *
 * @param name The name of the test, which is skipped where there is none.
 * @returns The site, or null: the test has to return.
 */
export async function siteWithOwnIds(name: string, site: Site): Promise<Site | null> {
  if (await hasOwnIds(site)) return site;
  const btrfs = await site.onBtrfs();
  if (btrfs !== null && await hasOwnIds(btrfs)) return btrfs;
  skip(name, "machines have no user ids of their own here, not even on btrfs");
  return null;
}

/** Returns whether prepare logs that a machine has user ids of its own. */
async function hasOwnIds(site: Site): Promise<boolean> {
  const id = newJob();
  const prepared = await site.call(["prepare", CHROOT, "--id", id]);
  await site.call(["cleanup", "--id", id]);
  return prepared.stderr.includes("user ids of its own");
}
