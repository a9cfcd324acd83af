/** The check that the disk of a store is there. */

import { basename, join } from "@std/path/posix";
import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { missingMount } from "../../linux/missing_mount.ts";
import type { Mount } from "../../linux/proc.ts";
import { CACHES } from "./caches.ts";

/**
 * Refuses a store whose disk is not mounted: it seems to be empty, and all chroots would be made anew on another disk.
 * Where the host may not mount that disk by itself (`noauto`, a unit), a store that is there and not empty is on another
 * disk. The disk of its caches has to be mounted as well: new caches would fill the store's.
 *
 * @param mounts All mounts, where they are known.
 * @throws {Failure} of the host.
 */
export async function refuseUnmounted(
  host: Host,
  store: string,
  mounts?: readonly Mount[],
): Promise<void> {
  let missing = await missingMount(host, join(store, CACHES.name), mounts);
  // Caches can be made anew on any disk, so that a mount of theirs that is made by hand may be missing.
  if (missing?.isManual) missing = await missingMount(host, store, mounts);
  if (missing === null) return;
  const { point, file, isManual } = missing;
  if (isManual && (await host.files.list(store)).length > 0) return;
  const unit = basename(file);
  const mount = unit.endsWith(".mount")
    ? `Mount it: systemctl start '${unit}'`
    : `Mount it: mount ${point}`;
  throw hostFailure(
    `Cannot use store ${store}: ${point} of ${file} is not mounted`,
    isManual ? `${mount}; or make the store without it: mkdir -p ${store}/.generations` : mount,
  );
}
