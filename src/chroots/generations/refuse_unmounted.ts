/** The check that the disk of a store is there. */

import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { missingMount } from "../../linux/fstab.ts";

/**
 * Refuses a store whose disk is not mounted: it seems to be empty, and all chroots would be made anew on another disk.
 *
 * @throws {Failure} of the host.
 */
export async function refuseUnmounted(host: Host, store: string): Promise<void> {
  const point = await missingMount(host, await host.files.real(store) ?? store);
  if (point === null) return;
  throw hostFailure(
    `Cannot use store ${store}: ${point} of /etc/fstab is not mounted`,
    `Mount it: mount ${point}`,
  );
}
