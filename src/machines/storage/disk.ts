/** A machine's own disk: a file with a file system whose size limits what the machine can write. */

import { dirname } from "@std/path/posix";
import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { diskSpace } from "../../linux/disk.ts";
import { removeUntrustedTree } from "../../linux/untrusted_tree.ts";
import { formatSize } from "../../text/size.ts";
import { moveMount } from "../../linux/mounts.ts";
import { diskOf } from "../record/paths.ts";
import type { Remaining } from "./storage.ts";

/** Bytes of a disk per file that it can hold: the average file of packages and of source code is larger. */
export const BYTES_PER_FILE = 8192;

/**
 * Arguments: the file, its size in bytes, the folder to mount it on.
 *
 * The file is sparse. Nothing on the disk outlives the machine: it has no journal, and nothing is written ahead.
 */
export const CREATE_DISK_SCRIPT = `
PATH=$PATH:/usr/sbin:/sbin
rm -f "$1"
: >"$1"
chattr +C "$1" 2>/dev/null || : # on btrfs, else each write to the disk copies a part of the file
truncate --size="$2" "$1"
mkfs.ext4 -q -F -b 4096 -m 0 -i ${BYTES_PER_FILE} -O ^has_journal,^resize_inode \\
  -E nodiscard,lazy_itable_init=1 "$1"
mount -o loop,nodev,noinit_itable "$1" "$3"
`;

/**
 * Creates a machine's disk and mounts it on the machine's own folder.
 *
 * @throws {Failure} `host` where it cannot be created or mounted.
 */
export async function createDisk(host: Host, folder: string, bytes: number): Promise<void> {
  const file = diskOf(folder);
  await host.files.makeDirectory(dirname(file));
  const argv = ["sh", "-euc", CREATE_DISK_SCRIPT, "sh", file, `${bytes}`, folder] as const;
  const { code, stderr } = await host.processes.capture(argv);
  if (code !== 0) {
    throw hostFailure(
      `Cannot make a disk of ${formatSize(bytes)} for the machine: ${stderr.trim()}`,
      "Install e2fsprogs and enable loop devices; " +
        'or set storage = "tmpfs", or limits.disk_max = "infinity"',
    );
  }
  await host.files.chmod(folder, 0o700);
}

/**
 * Moves a disk and its mount to another folder; succeeds also where it was moved before. Returns false where the
 * machine has no disk.
 *
 * @throws {Failure} `host` where it cannot be moved.
 */
export async function moveDisk(host: Host, from: string, to: string): Promise<boolean> {
  const [source, target] = [diskOf(from), diskOf(to)];
  if (await host.files.lstat(source) !== null) await host.files.rename(source, target);
  else if (await host.files.lstat(target) === null) return false;
  await moveMount(host, from, to);
  await removeUntrustedTree(host, from);
  return true;
}

/** Returns what can still be written on the file system mounted on a folder; null where df(1) does not tell. */
export async function remainingOn(host: Host, folder: string): Promise<Remaining | null> {
  const space = await diskSpace(host, folder);
  return space && { bytes: space.free, files: space.freeInodes };
}
