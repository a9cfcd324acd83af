import { messageOf } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import type { ChrootName } from "../../config/chroot_name.ts";
import { buildsFolder, chrootPlaces } from "./places.ts";
import { removeTrees } from "../../linux/tree.ts";

/**
 * Lends a folder on the store for temporary files; what a killed process left in it is swept. The caller
 * holds the chroot's lock.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @param name The chroot.
 * @param act What needs it; gets its path.
 * @returns What it returns.
 */
export async function inScratch<T>(
  host: Host,
  store: string,
  name: ChrootName,
  act: (scratch: string) => Promise<T>,
): Promise<T> {
  const { build, scratch } = chrootPlaces(store, name);
  await removeTrees(host, build);
  await host.files.makeDirectory(buildsFolder(store), 0o755);
  await host.files.makeDirectory(build); // closed: what strangers made, and what is packed of a tree
  await host.files.makeDirectory(scratch, 0o755);
  try {
    return await act(scratch);
  } finally {
    // What came of it counts; the next sweep tries again.
    await removeTrees(host, build).catch((error) => host.log.warn(messageOf(error)));
  }
}
