import { join } from "@std/path/posix";
import { deleteSubvolume, snapshotSubvolume } from "../../host/subvolumes.ts";
import type { Storage } from "./storage.ts";

/** Writes go to a snapshot of the chroot, which is a subvolume. */
export const btrfs: Storage = {
  kind: "btrfs",
  async open(host, chroot, folder) {
    const root = join(folder, "root");
    await snapshotSubvolume(host, chroot, root);
    return { options: [`--directory=${root}`] };
  },
  async close(host, folder) {
    await deleteSubvolume(host, join(folder, "root"));
    await host.files.removeTree(folder);
  },
};
