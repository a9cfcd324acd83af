/** What in a chroot's place is not ours to replace or to remove. */

import { refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { currentNumber } from "./record.ts";
import type { ChrootName } from "../../config/chroot_name.ts";
import { chrootPlaces } from "./places.ts";
import { mountsIn } from "../../linux/tree.ts";

/**
 * Refuses what cannot be replaced or removed as a whole.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @param name The chroot.
 * @param verb What cannot be done to it, for the message.
 * @throws {Failure} for a symlink that is not ours, and for mount points.
 */
export async function requireOwned(
  host: Host,
  store: string,
  name: ChrootName,
  verb: string,
): Promise<void> {
  const { path, generations } = chrootPlaces(store, name);
  const isLink = (await host.files.lstat(path))?.kind === "symlink";
  if (isLink && await currentNumber(host, store, name) === null) {
    const target = await host.files.readLink(path);
    throw refused(
      `Cannot ${verb} chroot ${name}: it is a symlink to ${target}`,
      `Its tree is yours: change that, or remove ${path}`,
    );
  }
  const [mount] = await mountsIn(host, isLink ? generations : path);
  if (mount === undefined) return;
  throw refused(
    `Cannot ${verb} chroot ${name}: something is mounted at ${mount}`,
    `Undo it: umount ${mount}`,
  );
}
