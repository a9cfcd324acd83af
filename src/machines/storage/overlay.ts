import { join } from "@std/path/posix";
import type { Host } from "../../host/host.ts";
import { diskUsage } from "../../linux/disk.ts";
import { idCount } from "../record/ids.ts";
import { METACOPY, metadataCopiesIn } from "./shifted/layer.ts";
import { inOwnMounts } from "../../linux/mounts.ts";
import { createDisk, moveDisk, remainingOn } from "./disk.ts";
import type { Root, Storage } from "./storage.ts";

/** Keeps a machine's writes in a folder on the store, or on its own disk: the upper layer over the read-only chroot. */
export const overlay: Storage = {
  kind: "overlay",
  async create(host, _chroot, folder, ids, diskMax) {
    if (diskMax !== null) await createDisk(host, folder, diskMax);
    await makeUpperLayer(host, folder, ids);
  },
  root: overlayRoot,
  bytesWritten: bytesInUpperLayer,
  remaining: remainingOn,
  async move(host, from, to) {
    if (!await moveDisk(host, from, to)) await moveFolder(host, from, to);
  },
};

/** Creates the upper layer of a machine, and the mount points of its overlay. */
export async function makeUpperLayer(
  host: Host,
  folder: string,
  ids: number | null,
): Promise<void> {
  const upper = upperLayerIn(folder);
  await host.files.makeDirectory(upper, 0o755);
  if (ids !== null) await host.files.chown(upper, ids, ids);
  for (const name of [LOWER, SHIFTED, WORK, MERGED]) {
    await host.files.makeDirectory(join(folder, name), 0o755);
  }
}

/** Folders beside the upper layer. */
const LOWER = "lower";
const SHIFTED = "shifted";
const WORK = "work";
const MERGED = "root";

/**
 * Returns an overlay over the chroot as a machine's root. Any number of machines share a chroot.
 *
 * It is mounted in the mount namespace of nspawn, so that no mount is left on the host however the machine ends;
 * without nodev, a device node in an image would be a device of the host.
 *
 * @param ids The first of the machine's own ids; null where it shares the host's.
 * @param layer The shifted layer that gives the chroot's files those ids; null where mount(8) maps them.
 */
export function overlayRoot(
  chroot: string,
  folder: string,
  ids: number | null,
  layer: string | null = null,
): Root {
  if (ids === null) return rootMountedBy(folder, OVERLAY_SCRIPT, [chroot]);
  // Owners are changed before nspawn starts.
  const owners = ["--private-users-ownership=off"];
  return layer === null
    ? rootMountedBy(folder, IDMAPPED_OVERLAY_SCRIPT, [chroot, `${ids}:${idCount(ids)}`], owners)
    : rootMountedBy(folder, SHIFTED_OVERLAY_SCRIPT, [chroot, metadataCopiesIn(layer)], owners);
}

/** A root on an overlay that a script mounts in a new mount namespace, before it runs systemd-nspawn there. */
function rootMountedBy(
  folder: string,
  script: string,
  args: readonly string[],
  options: readonly string[] = [],
): Root {
  return {
    options: [`--directory=${join(folder, MERGED)}`, ...options],
    wrap: (argv) => inOwnMounts(["sh", "-euc", script, "sh", folder, ...args, ...argv]),
  };
}

/**
 * A shell function that mounts the overlay by its argument, the options. Where the kernel can (Linux 5.10), it is
 * volatile: fsync(2) in the machine does not wait for the disk. A volatile overlay leaves a mark that forbids another
 * mount, which the files of a held machine need: the kernel's filesystems/overlayfs.
 */
export const MOUNT_OVERLAY_SCRIPT = `mount_overlay() {
  for mark in ${WORK}/*/incompat; do
    [ ! -e "$mark" ] || rm -r "$mark"
  done
  mount -t overlay -o "volatile,$1" overlay ${MERGED} 2>/dev/null ||
    mount -t overlay -o "$1" overlay ${MERGED}
}`;

/** Arguments: the machine's folder, the chroot, nspawn's command line. */
export const OVERLAY_SCRIPT = `
cd -P "$1"
mount --bind "$2" ${LOWER}
${MOUNT_OVERLAY_SCRIPT}
mount_overlay nodev,lowerdir=${LOWER},upperdir=upper,workdir=${WORK}
cd /
shift 2
exec "$@"
`;

/** Arguments: the machine's folder, the chroot, `FIRST:COUNT` of ids, nspawn's command line. */
export const IDMAPPED_OVERLAY_SCRIPT = `
cd -P "$1"
mount --bind -o "X-mount.idmap=b:0:$3" "$2" ${LOWER}
${MOUNT_OVERLAY_SCRIPT}
mount_overlay nodev,lowerdir=${LOWER},upperdir=upper,workdir=${WORK}
cd /
shift 3
exec "$@"
`;

/** Arguments: the machine's folder, the chroot, the shifted layer's metadata-only copies, nspawn's command line. */
export const SHIFTED_OVERLAY_SCRIPT = `
cd -P "$1"
mount --bind "$2" ${LOWER}
mount --bind "$3" ${SHIFTED}
${MOUNT_OVERLAY_SCRIPT}
mount_overlay nodev,${METACOPY},lowerdir=${SHIFTED}:${LOWER},upperdir=upper,workdir=${WORK}
cd /
shift 3
exec "$@"
`;

/** Returns how many bytes on the disk the upper layer holds; null where du(1) does not tell. */
export async function bytesInUpperLayer(host: Host, folder: string): Promise<number | null> {
  return await diskUsage(host, upperLayerIn(folder)) || null; // an empty layer of tmpfs takes nothing
}

/** Moves a machine's own folder in one step; succeeds also where it was moved before. */
export async function moveFolder(host: Host, from: string, to: string): Promise<void> {
  if (await host.files.lstat(from) !== null) await host.files.rename(from, to);
}

function upperLayerIn(folder: string): string {
  return join(folder, "upper");
}
