import { join } from "@std/path/posix";
import type { Argv, Host } from "../../host/host.ts";
import { removeStrangersTree } from "../../linux/untrusted_tree.ts";
import { COUNT } from "../record/ids.ts";
import { METACOPY, ownersIn } from "./shifted/layer.ts";
import { escapeColons } from "../../linux/nspawn.ts";
import { closeDisk, leftOn, moveDisk, openDisk } from "./disk.ts";
import type { Root, Storage } from "./storage.ts";

/** Writes go to a folder on the store, or to a disk of the machine's own, over the read-only chroot. */
export const overlay: Storage = {
  kind: "overlay",
  async open(host, _chroot, folder, ids, diskMax) {
    if (diskMax !== null) await openDisk(host, folder, diskMax);
    await makeUpper(host, folder, ids);
  },
  root: overlayOver,
  written: writtenTo,
  left: leftOn,
  async move(host, from, to) {
    if (!await moveDisk(host, from, to)) await moveFolder(host, from, to);
  },
  async close(host, folder) {
    await closeDisk(host, folder);
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
export async function makeUpper(host: Host, folder: string, ids: number | null): Promise<void> {
  const upper = upperIn(folder);
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
export function overlayOver(
  chroot: string,
  folder: string,
  ids: number | null,
  layer: string | null = null,
): Root {
  if (ids !== null) {
    return layer === null
      ? mounted(folder, MAP, [chroot, `${ids}`])
      : mounted(folder, STACK, [chroot, ownersIn(layer)]);
  }
  return {
    options: [
      `--directory=${chroot}`,
      "--read-only",
      `--overlay=${escapeColons(chroot)}:${escapeColons(upperIn(folder))}:/`,
    ],
  };
}

/**
 * An overlay over the chroot with other owners, which nspawn itself cannot mount: we do, in a mount namespace
 * of nspawn's own, so that nothing of it is left on the host either. What other machines have mounted is copied
 * into it, and does not stay there: the kernel takes along what is mounted on a folder that is removed.
 */
function mounted(folder: string, script: string, words: readonly string[]): Root {
  return {
    options: [`--directory=${join(folder, MERGED)}`, "--private-users-ownership=off"],
    around: (argv) => [
      "unshare",
      ...["--mount", "--propagation=private", "sh", "-euc", script, "sh"],
      ...[folder, ...words],
      ...argv,
    ],
  };
}

/** Words: the machine's folder, the chroot, the first id, nspawn. */
const MAP = `
cd -P "$1"
mount --bind -o "X-mount.idmap=b:0:$3:${COUNT}" "$2" ${LOWER}
mount -t overlay -o lowerdir=${LOWER},upperdir=upper,workdir=${WORK} overlay ${MERGED}
cd /
shift 3
exec "$@"
`;

/** Words: the machine's folder, the chroot, its files with other owners, nspawn. */
const STACK = `
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
export async function writtenTo(host: Host, folder: string): Promise<number | null> {
  const argv: Argv = ["du", "--summarize", "--one-file-system", "--block-size=1", upperIn(folder)];
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

function upperIn(folder: string): string {
  return join(folder, "upper");
}
