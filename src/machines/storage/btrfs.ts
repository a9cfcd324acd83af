import { join } from "@std/path/posix";
import { exclusiveBytes, snapshotSubvolume } from "../../linux/btrfs.ts";
import { limitSubvolume, remainingInSubvolume } from "../../linux/btrfs_quota.ts";
import { moveFolder } from "./overlay.ts";
import { REFUSE_LINKS_SCRIPT } from "./refuse_links.ts";
import type { Storage } from "./storage.ts";

/** Keeps a machine's writes in a snapshot of the chroot, which is a btrfs subvolume. */
export const btrfs: Storage = {
  kind: "btrfs",
  async create(host, lower, folder, _ids, diskMax) {
    await snapshotSubvolume(host, lower.folder, rootIn(folder));
    if (diskMax === null) return;
    await host.files.write(join(folder, LIMIT_MARKER), "");
    await limitSubvolume(host, rootIn(folder), diskMax);
  },
  async makeLimited(host, folder, path) {
    const { createWithLimitOf } = await import("../../linux/btrfs_shared_limit.ts");
    await createWithLimitOf(host, rootIn(folder), path);
  },
  root: (_lower, folder, ids) => ({
    options: [
      `--directory=${rootIn(folder)}`,
      // Owners on the disk stay as they are; the machine sees mapped ones.
      ...(ids === null ? [] : ["--private-users-ownership=map"]),
    ],
    mount: { script: BIND_WITHOUT_DEVICES_SCRIPT, args: [rootIn(folder)] },
  }),
  bytesWritten: (host, folder) => exclusiveBytes(host, rootIn(folder)),
  async remaining(host, folder) {
    const bytes = await remainingInSubvolume(host, rootIn(folder));
    return bytes === null ? null : { bytes, files: null };
  },
  move: moveFolder,
};

/** The snapshot in the machine's own folder. */
export const SNAPSHOT = "root";

/** An empty file that exists where the snapshot may have a limit: asking btrfs would cost a process. */
export const LIMIT_MARKER = "limited";

/** Argument: the root. A device node in an image would be a device of the host. */
export const BIND_WITHOUT_DEVICES_SCRIPT = `${REFUSE_LINKS_SCRIPT}
mount --bind -o nodev "$1" "$1"
refuse_links "$1"
shift
`;

function rootIn(folder: string): string {
  return join(folder, SNAPSHOT);
}
