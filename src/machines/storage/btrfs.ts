import { join } from "@std/path/posix";
import { leftOfSubvolume, limitSubvolume, releaseSubvolume } from "../../linux/btrfs_quota.ts";
import { deleteSubvolume, exclusiveBytes, snapshotSubvolume } from "../../linux/btrfs.ts";
import { removeStrangersTree } from "../../linux/untrusted_tree.ts";
import { moveFolder } from "./overlay.ts";
import type { Storage } from "./storage.ts";

/** Writes go to a snapshot of the chroot, which is a subvolume. */
export const btrfs: Storage = {
  kind: "btrfs",
  async create(host, chroot, folder, _ids, diskMax) {
    await snapshotSubvolume(host, chroot, rootIn(folder));
    if (diskMax === null) return;
    await host.files.write(limitMarkerIn(folder), "");
    await limitSubvolume(host, rootIn(folder), diskMax);
  },
  root: (_chroot, folder, ids) => ({
    options: [
      `--directory=${rootIn(folder)}`,
      // Owners stay as they are on the disk, and are mapped where the machine sees them.
      ...(ids === null ? [] : ["--private-users-ownership=map"]),
    ],
  }),
  bytesWritten: (host, folder) => exclusiveBytes(host, rootIn(folder)),
  async remaining(host, folder) {
    const bytes = await leftOfSubvolume(host, rootIn(folder));
    return bytes === null ? null : { bytes, files: null };
  },
  move: moveFolder,
  async remove(host, folder) {
    if (await host.files.lstat(limitMarkerIn(folder)) !== null) {
      await releaseSubvolume(host, rootIn(folder));
    }
    await deleteSubvolume(host, rootIn(folder));
    await removeStrangersTree(host, folder);
  },
};

function rootIn(folder: string): string {
  return join(folder, "root");
}

/** Says that there may be a limit to take away: to ask btrfs itself takes a process. */
function limitMarkerIn(folder: string): string {
  return join(folder, "limited");
}
