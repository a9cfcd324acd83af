/** Copies the files of a pulled image into the tree of a chroot. */

import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { runTool } from "../../linux/tool.ts";
import { readImage, type StoredImage } from "./record.ts";

/**
 * A shell function; arguments: the folder of the layers, the layers with colons between them, an empty folder. Mounts the
 * layers on that folder, and sets tree to it. A single layer gets the empty folder below it, since an overlay has two.
 */
export const MOUNT_LAYERS_FUNCTION = `
mount_layers() {
  cd "$1"
  case $2 in
    .) tree=$1 ;;
    *:*) tree=$3 lower=$2 ;;
    *) tree=$3 lower=$2:$3 ;;
  esac
  [ "$2" = . ] || mount -t overlay -o "ro,nosuid,nodev,lowerdir=$lower" overlay "$3"
}
`;

/** By mount(2): fsconfig(2), which newer versions of mount(8) prefer, takes no more than 256 characters of an option. */
export const MOUNT_ENVIRONMENT = { LIBMOUNT_FORCE_MOUNT2: "always" };

/** Arguments: as those of the function, then the tree. */
export const COPY_FILES_SCRIPT = `${MOUNT_LAYERS_FUNCTION}
set -e
mount_layers "$1" "$2" "$3"
exec cp --archive --reflink=auto --one-file-system -- "$tree/." "$4"
`;

/**
 * Copies all files of an image into an empty tree.
 *
 * @param mountPoint An empty folder.
 * @throws {Failure} of the host where a process removed the image meanwhile.
 */
export async function copyFiles(
  host: Host,
  store: string,
  { id, lower: { folder, layers } }: StoredImage,
  mountPoint: string,
  tree: string,
  interrupt: AbortSignal,
): Promise<void> {
  const words = [folder, layers.join(":"), mountPoint, tree];
  const argv = ["sh", "-c", COPY_FILES_SCRIPT, "sh", ...words] as const;
  await runTool(host, argv, MOUNT_ENVIRONMENT, interrupt);
  const image = await readImage(host, store, id, []);
  // An image that was pulled again has layers of other names.
  if (image?.lower.layers.join() === layers.join()) return;
  throw hostFailure("Cannot copy the files of the image: it was removed just now", "Try again");
}
