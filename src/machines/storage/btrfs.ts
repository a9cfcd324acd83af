import { join } from "@std/path/posix";
import { hostFailure } from "../../failure.ts";
import type { Argv, Host } from "../../host/host.ts";
import type { Storage } from "./storage.ts";

/** The root of every subvolume has this inode number: btrfs(5). */
const SUBVOLUME_INODE = 256;

/** Writes go to a snapshot of the chroot, which is a subvolume. */
export const btrfs: Storage = {
  kind: "btrfs",
  async open(host, chroot, folder) {
    const root = join(folder, "root");
    await btrfsCommand(host, ["btrfs", "subvolume", "snapshot", chroot, root]);
    return { options: [`--directory=${root}`] };
  },
  async close(host, folder) {
    await deleteSubvolume(host, join(folder, "root"));
    await host.files.removeTree(folder);
  },
};

/**
 * Whether a path is the root of a subvolume. The file system must be btrfs.
 *
 * @param host The outside.
 * @param path Any path.
 * @returns True for a subvolume.
 */
export async function isSubvolume(host: Host, path: string): Promise<boolean> {
  return (await host.files.lstat(path))?.ino === SUBVOLUME_INODE;
}

/**
 * Deletes a subvolume with all that were made inside of it; systemd makes some at boot. Fine when
 * there is none.
 *
 * @param host The outside.
 * @param path The subvolume.
 * @throws {Failure} of the host.
 */
export async function deleteSubvolume(host: Host, path: string): Promise<void> {
  if (!await isSubvolume(host, path)) return;
  const argv: Argv = ["btrfs", "subvolume", "delete", path];
  if ((await host.processes.capture(argv)).code === 0) return;
  // It has subvolumes inside, which are rare: only now is it worth listing them.
  for (const inner of await innerSubvolumes(host, path)) await deleteSubvolume(host, inner);
  await btrfsCommand(host, argv);
}

async function innerSubvolumes(host: Host, path: string): Promise<string[]> {
  // -xdev would stop at the very folders that are looked for: a subvolume is a device of its own.
  const found = await host.processes.capture(
    [
      "find",
      path,
      "-mindepth",
      "1",
      "-inum",
      `${SUBVOLUME_INODE}`,
      "-type",
      "d",
      "-prune",
      "-print0",
    ],
  );
  return found.stdout.split("\0").filter((inner) => inner !== "");
}

async function btrfsCommand(host: Host, argv: Argv): Promise<void> {
  const { code, stderr } = await host.processes.capture(argv);
  if (code !== 0) throw hostFailure(`Cannot ${argv.slice(1, 3).join(" ")}: ${stderr.trim()}`);
}
