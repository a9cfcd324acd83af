/** The folder in which a chroot is built or packed. */

import type { ChrootName } from "../../config/chroot_name.ts";
import { messageOf } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { removeTrees } from "../../linux/tree.ts";
import { buildsFolder, type ChrootPaths, chrootPaths } from "./paths.ts";

/** A build folder, which is removed when its scope ends. */
export interface BuildFolder extends ChrootPaths, AsyncDisposable {}

/**
 * Makes an empty build folder for a chroot. The caller holds the chroot's lock. If the process is
 * killed, recoverStore() removes the folder.
 */
export async function openBuildFolder(
  host: Host,
  store: string,
  name: ChrootName,
): Promise<BuildFolder> {
  const paths = chrootPaths(store, name);
  await removeTrees(host, paths.build);
  await host.files.makeDirectory(buildsFolder(store), 0o755);
  // For root alone: an image may hold set-uid programs.
  await host.files.makeDirectory(paths.build);
  await host.files.makeDirectory(paths.scratch, 0o755);
  return {
    ...paths,
    async [Symbol.asyncDispose]() {
      // A failure here does not undo the result, and recoverStore() tries again.
      await removeTrees(host, paths.build).catch((error) => host.log.warn(messageOf(error)));
    },
  };
}
