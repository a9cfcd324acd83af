/** The check that the disk of a store is there. */

import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { missingMount } from "../../linux/fstab.ts";
import type { Mount } from "../../linux/proc.ts";

/**
 * Refuses a store whose disk is not mounted: it seems to be empty, and all chroots would be made anew on another disk.
 * Where the host does not mount that disk by itself (`noauto`), a store that is there and not empty is on another disk.
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
  const { point, isManual } = missing;
  if (isManual && (await host.files.list(store)).length > 0) return;
  throw hostFailure(
    `Cannot use store ${store}: ${point} of /etc/fstab is not mounted`,
    isManual
      ? `Mount it: mount ${point}; or make the store without it: mkdir -p ${store}/.generations`
      : `Mount it: mount ${point}`,
  );
}
