/** Where machines have user ids of their own: most of what they promise comes from that. */

import { CHROOT, newJob, type Site } from "../hosts/site.ts";
import { skip } from "../skip.ts";

/**
 * A site whose machines have ids of their own: the same one, else one on btrfs.
 *
 * @param name The test, which is skipped where there is none.
 * @param site Where.
 * @returns The site, or null: the test has to return.
 */
export async function mappingSite(name: string, site: Site): Promise<Site | null> {
  if (await maps(site)) return site;
  const btrfs = await site.onBtrfs();
  if (btrfs !== null && await maps(btrfs)) return btrfs;
  skip(name, "machines have no user ids of their own here, not even on btrfs");
  return null;
}

/** Its own log says so. */
async function maps(site: Site): Promise<boolean> {
  const id = newJob();
  const prepared = await site.call(["prepare", CHROOT, "--id", id]);
  await site.call(["cleanup", "--id", id]);
  return prepared.stderr.includes("user ids of its own");
}
