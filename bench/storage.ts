/** The storage of a machine as one would make it by hand. */

import { succeed } from "./measure.ts";

/** How writes are kept off the chroot. */
export type StorageKind = "overlay" | "btrfs" | "tmpfs";

/**
 * Makes a root that may be written to.
 *
 * @param kind Which storage.
 * @param chroot The chroot.
 * @param folder An empty folder on the store, for the writes.
 * @returns nspawn's options for it.
 */
export async function openStorage(
  kind: StorageKind,
  chroot: string,
  folder: string,
): Promise<string[]> {
  if (kind === "btrfs") {
    await succeed(["btrfs", "subvolume", "snapshot", chroot, `${folder}/root`]);
    return [`--directory=${folder}/root`];
  }
  if (kind === "tmpfs") {
    await succeed(["mount", "-t", "tmpfs", "-o", "mode=0700", "nspawn-runner-bench", folder]);
  }
  await Deno.mkdir(`${folder}/upper`);
  return [`--directory=${chroot}`, "--read-only", `--overlay=${chroot}:${folder}/upper:/`];
}

/**
 * Removes what a machine wrote.
 *
 * @param kind Which storage.
 * @param folder The folder of its writes.
 */
export async function closeStorage(kind: StorageKind, folder: string): Promise<void> {
  if (kind === "btrfs") await deleteSubvolume(`${folder}/root`);
  if (kind === "tmpfs") await succeed(["umount", folder]);
  await Deno.remove(folder, { recursive: true });
}

async function deleteSubvolume(path: string): Promise<void> {
  try {
    await succeed(["btrfs", "subvolume", "delete", path]);
  } catch {
    // systemd makes subvolumes in it where the chroot has none of its folders.
    for (const inner of ["var/lib/portables", "var/lib/machines"]) {
      await succeed(["btrfs", "subvolume", "delete", `${path}/${inner}`]).catch(() => {});
    }
    await succeed(["btrfs", "subvolume", "delete", path]);
  }
}
