import { join } from "@std/path/posix";
import { deleteSubvolume, exclusiveBytes, snapshotSubvolume } from "../../host/subvolumes.ts";
import { removeStrangersTree } from "../../host/strangers.ts";
import { moveFolder } from "./overlay.ts";
import type { Storage } from "./storage.ts";

/** Writes go to a snapshot of the chroot, which is a subvolume. */
export const btrfs: Storage = {
  kind: "btrfs",
  open: (host, chroot, folder) => snapshotSubvolume(host, chroot, rootIn(folder)),
  root: (_chroot, folder, ids) => ({
    options: [
      `--directory=${rootIn(folder)}`,
      // Owners stay as they are on the disk, and are mapped where the machine sees them.
      ...(ids === null ? [] : ["--private-users-ownership=map"]),
    ],
  }),
  written: (host, folder) => exclusiveBytes(host, rootIn(folder)),
  move: moveFolder,
  async close(host, folder) {
    await deleteSubvolume(host, rootIn(folder));
    await removeStrangersTree(host, folder);
  },
};

function rootIn(folder: string): string {
  return join(folder, "root");
}
