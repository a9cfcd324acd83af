import { join } from "@std/path/posix";
import type { Host } from "../../host/host.ts";
import { diskUsage } from "../../linux/disk.ts";
import { idCount } from "../record/ids.ts";
import { METACOPY, metadataCopiesIn } from "./shifted/layer.ts";
import type { Lower } from "../record/lower.ts";
import { createDisk, moveDisk, remainingOn } from "./disk.ts";
import { REFUSE_LINKS_SCRIPT } from "./refuse_links.ts";
import type { Root, Storage } from "./storage.ts";

/** Keeps a machine's writes in a folder on the store, or on its own disk: the upper layer over the read-only chroot. */
export const overlay: Storage = {
  kind: "overlay",
  async create(host, _lower, folder, ids, diskMax) {
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
  lower: Lower,
  folder: string,
  ids: number | null,
  layer: string | null = null,
): Root {
  const isMapped = ids !== null && layer === null;
  const args = [
    folder,
    lower.folder,
    isMapped ? `X-mount.idmap=b:0:${ids}:${idCount(ids)}` : "",
    layer === null ? "" : metadataCopiesIn(layer),
    overlayOptions(lower, layer !== null),
  ];
  return {
    // Owners are changed before nspawn starts.
    options: [
      `--directory=${join(folder, MERGED)}`,
      ...(ids === null ? [] : ["--private-users-ownership=off"]),
    ],
    mount: { script: OVERLAY_SCRIPT, args },
  };
}

/** The mount's options, with paths relative to the folder of the layers, so that many layers fit in a page of memory. */
function overlayOptions({ layers }: Lower, isShifted: boolean): string {
  const lowerDirs = isShifted ? [`../${SHIFTED}`, ...layers] : layers;
  return [
    "nodev",
    ...(isShifted ? [METACOPY] : []),
    `lowerdir=${lowerDirs.join(":")}`,
    "upperdir=../upper",
    `workdir=../${WORK}`,
  ].join(",");
}

/**
 * Arguments: the machine's folder, the folder of the layers, the options of its bind mount or an empty text, the shifted
 * layer's metadata-only copies or an empty text, the options of the overlay.
 *
 * Where the kernel can (Linux 5.10), the overlay is volatile: fsync(2) in the machine does not wait for the disk. A
 * volatile overlay leaves a mark that forbids another mount, which the files of a held machine need: the kernel's
 * filesystems/overlayfs. By fsconfig(2) a list of layers may have 256 bytes only, by mount(2) 4095.
 */
export const OVERLAY_SCRIPT = `${REFUSE_LINKS_SCRIPT}
cd -P "$1"
if [ -n "$3" ]; then mount --bind -o "$3" "$2" ${LOWER}; else mount --bind "$2" ${LOWER}; fi
[ -z "$4" ] || mount --bind "$4" ${SHIFTED}
for mark in ${WORK}/*/incompat; do
  [ ! -e "$mark" ] || rm -r "$mark"
done
cd ${LOWER}
export LIBMOUNT_FORCE_MOUNT2=always
mount -t overlay -o "volatile,$5" overlay ../${MERGED} 2>/dev/null ||
  mount -t overlay -o "$5" overlay ../${MERGED}
unset LIBMOUNT_FORCE_MOUNT2
refuse_links ../${MERGED}
cd /
shift 5
`;

/** Returns how many bytes on the disk the upper layer holds; null where du(1) does not tell in time. */
export async function bytesInUpperLayer(host: Host, folder: string): Promise<number | null> {
  return await diskUsage(host, upperLayerIn(folder), 5) || null; // an empty layer of tmpfs takes nothing
}

/** Moves a machine's own folder in one step; succeeds also where it was moved before. */
export async function moveFolder(host: Host, from: string, to: string): Promise<void> {
  if (await host.files.lstat(from) !== null) await host.files.rename(from, to);
}

/** Returns the upper layer in the folder of a machine. */
export function upperLayerIn(folder: string): string {
  return join(folder, "upper");
}
