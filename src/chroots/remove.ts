/** Removes chroots. */

import type { Config } from "../config/settings.ts";
import type { Host } from "../host/host.ts";
import { unknownImage } from "./list.ts";
import { whileLocked } from "./lock.ts";
import { namesOfImage } from "./name.ts";
import { chrootPlaces } from "./places.ts";
import { refuseUsed, type Users } from "./users.ts";
import { refuseForeign, removeFromPlace, sweep } from "./making.ts";

/**
 * Removes a chroot; its definition and playbook stay.
 *
 * @param host The outside.
 * @param config Where chroots are.
 * @param image The chroot, as a person wrote it.
 * @param users Who may use it.
 * @throws {Failure} where there is none, or somebody uses it.
 */
export async function removeChroot(
  host: Host,
  config: Config,
  image: string,
  users: Users,
): Promise<void> {
  const { store } = config;
  await sweep(host, store, users);
  for (const name of namesOfImage(image)) {
    const { path, record } = chrootPlaces(store, name);
    // A file of that name is none of ours.
    const stat = await host.files.stat(path);
    if (stat?.kind !== "directory") continue;
    await whileLocked(host, store, name, async () => {
      await refuseForeign(host, store, name, "remove");
      await refuseUsed(users, name, "remove");
      await removeFromPlace(host, store, name);
      await host.files.remove(record);
    });
    host.log.info(`Removed chroot ${name}`);
    return;
  }
  throw await unknownImage(host, config, image);
}
