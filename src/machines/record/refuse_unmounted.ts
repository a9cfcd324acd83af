/** The check that the disk of a store is there. */

import { basename } from "@std/path/posix";
import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { missingMount } from "../../linux/missing_mount.ts";
import type { Mount } from "../../linux/proc.ts";

/**
 * Refuses a store whose disk is not mounted: it seems to be empty, and all chroots would be made anew on another disk.
 * Where the host may not mount that disk by itself (`noauto`, a unit), a store that is there and not empty is on another
 * disk.
 *
 * @param mounts All mounts, where they are known.
 * @throws {Failure} of the host.
 */
export async function refuseUnmounted(
  host: Host,
  store: string,
  mounts?: readonly Mount[],
): Promise<void> {
  const missing = await missingMount(host, store, mounts);
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
