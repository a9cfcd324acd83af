import { join } from "@std/path/posix";
import type { Argv, Host } from "../../host/host.ts";
import { removeStrangersTree } from "../../linux/untrusted_tree.ts";
import { COUNT } from "../record/ids.ts";
import { METACOPY, metadataCopiesIn } from "./shifted/layer.ts";
import { escapeColons } from "../../linux/nspawn.ts";
import { removeDisk, remainingOn, moveDisk, createDisk } from "./disk.ts";
import type { Root, Storage } from "./storage.ts";

/** Writes go to a folder on the store, or to a disk of the machine's own, over the read-only chroot. */
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
  async remove(host, folder) {
    await removeDisk(host, folder);
    await removeStrangersTree(host, folder);
  },
};

/**
 * Makes the upper layer.
 *
 * @param host The outside.
 * @param folder The machine's own folder.
 * @param ids The first id of the machine's own; null where it shares the host's.
 */
export async function makeUpperLayer(host: Host, folder: string, ids: number | null): Promise<void> {
  const upper = upperLayerIn(folder);
  await host.files.makeDirectory(upper, 0o755);
  if (ids === null) return;
  await host.files.chown(upper, ids, ids);
  for (const name of [LOWER, SHIFTED, WORK, MERGED]) {
    await host.files.makeDirectory(join(folder, name), 0o755);
  }
}

/** Where an overlay that we mount has its parts, besides the upper layer. */
const LOWER = "lower";
const SHIFTED = "shifted";
const WORK = "work";
const MERGED = "root";

/**
 * An overlay that nspawn mounts in the machine's own mount namespace, so that nothing of it is
 * left on the host however the machine ends.
 *
 * @param chroot The lower layer, shared by any number of machines: read-only takes no lock on it.
 * @param folder Where the upper layer is; nspawn puts its work folder beside it.
 * @param ids The first id of the machine's own; null where it shares the host's.
 * @param layer The layer that gives the chroot's files those ids; null where the host maps them.
 * @returns The root.
 */
export function overlayRoot(
  chroot: string,
  folder: string,
  ids: number | null,
  layer: string | null = null,
): Root {
  if (ids !== null) {
    return layer === null
      ? rootMountedBy(folder, MOUNT_IDMAPPED_OVERLAY, [chroot, `${ids}`])
      : rootMountedBy(folder, MOUNT_SHIFTED_OVERLAY, [chroot, metadataCopiesIn(layer)]);
  }
  return {
    options: [
      `--directory=${chroot}`,
      "--read-only",
      `--overlay=${escapeColons(chroot)}:${escapeColons(upperLayerIn(folder))}:/`,
    ],
  };
}

/**
 * An overlay over the chroot with other owners, which nspawn itself cannot mount: we do, in a mount namespace
 * of nspawn's own, so that nothing of it is left on the host either. What other machines have mounted is copied
 * into it, and does not stay there: the kernel takes along what is mounted on a folder that is removed.
 */
function rootMountedBy(folder: string, script: string, words: readonly string[]): Root {
  return {
    options: [`--directory=${join(folder, MERGED)}`, "--private-users-ownership=off"],
    wrap: (argv) => [
      "unshare",
      ...["--mount", "--propagation=private", "sh", "-euc", script, "sh"],
      ...[folder, ...words],
      ...argv,
    ],
  };
}

/** Words: the machine's folder, the chroot, the first id, nspawn. */
const MOUNT_IDMAPPED_OVERLAY = `
cd -P "$1"
mount --bind -o "X-mount.idmap=b:0:$3:${COUNT}" "$2" ${LOWER}
mount -t overlay -o lowerdir=${LOWER},upperdir=upper,workdir=${WORK} overlay ${MERGED}
cd /
shift 3
exec "$@"
`;

/** Words: the machine's folder, the chroot, its files with other owners, nspawn. */
const MOUNT_SHIFTED_OVERLAY = `
cd -P "$1"
mount --bind "$2" ${LOWER}
mount --bind "$3" ${SHIFTED}
mount -t overlay -o ${METACOPY},lowerdir=${SHIFTED}:${LOWER},upperdir=upper,workdir=${WORK} overlay ${MERGED}
cd /
shift 3
exec "$@"
`;

/**
 * How much the upper layer holds.
 *
 * @param host The outside.
 * @param folder The machine's own folder.
 * @returns Bytes on disk.
 */
export async function bytesInUpperLayer(host: Host, folder: string): Promise<number | null> {
  const argv: Argv = ["du", "--summarize", "--one-file-system", "--block-size=1", upperLayerIn(folder)];
  const { stdout } = await host.processes.capture(argv);
  return Number(stdout.match(/^(\d+)\t/)?.[1] ?? NaN) || null;
}

/**
 * Moves a machine's own folder in one step. Fine when that was done.
 *
 * @param host The outside.
 * @param from Where it is.
 * @param to Where it is to be.
 */
export async function moveFolder(host: Host, from: string, to: string): Promise<void> {
  if (await host.files.lstat(from) !== null) await host.files.rename(from, to);
}

function upperLayerIn(folder: string): string {
  return join(folder, "upper");
}
