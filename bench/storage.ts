/** The storage of a machine, made by hand. */

import { succeed } from "./measure.ts";

/** How the machine's writes are kept apart from the chroot. */
export type StorageKind = "overlay" | "btrfs" | "tmpfs";

/**
 * Creates a writable root.
 *
 * @param folder An empty folder of the store, for the writes.
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

/** Removes the writes of a machine, and their folder. */
export async function closeStorage(kind: StorageKind, folder: string): Promise<void> {
  if (kind === "btrfs") await deleteSubvolume(`${folder}/root`);
  if (kind === "tmpfs") await succeed(["umount", folder]);
  await Deno.remove(folder, { recursive: true });
}

async function deleteSubvolume(path: string): Promise<void> {
  try {
    await succeed(["btrfs", "subvolume", "delete", path]);
  } catch {
    // systemd creates these as subvolumes if the chroot lacks the folders.
    for (const inner of ["var/lib/portables", "var/lib/machines"]) {
      await succeed(["btrfs", "subvolume", "delete", `${path}/${inner}`]).catch(() => {});
    }
    await succeed(["btrfs", "subvolume", "delete", path]);
  }
}
