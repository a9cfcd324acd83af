/** A disk of a machine's own: a file with a file system in it, which holds no more than it may. */

import { dirname } from "@std/path/posix";
import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { removeStrangersTree } from "../../linux/untrusted_tree.ts";
import { asSize } from "../../text/size.ts";
import { moveMount, unmountAll } from "../../linux/mounts.ts";
import { diskOf } from "../record/paths.ts";
import type { Remaining } from "./storage.ts";

/** Bytes of a disk for each file that it may hold: packages have larger ones, sources of programs as well. */
export const BYTES_PER_FILE = 8192;

/**
 * Words: the file, its size, the folder. The file has holes for all that is not written yet; nothing of it
 * outlives the machine, so that it needs no journal, and nothing is written ahead.
 */
const CREATE_DISK = `
PATH=$PATH:/usr/sbin:/sbin
rm -f "$1"
: >"$1"
chattr +C "$1" 2>/dev/null || : # on btrfs, a file within a file is not copied at each write
truncate --size="$2" "$1"
mkfs.ext4 -q -F -b 4096 -m 0 -i ${BYTES_PER_FILE} -O ^has_journal,^resize_inode \\
  -E nodiscard,lazy_itable_init=1 "$1"
mount -o loop,nodev,noinit_itable "$1" "$3"
`;

/**
 * Makes a disk and mounts it.
 *
 * @param host The outside.
 * @param folder The machine's own folder, which it is mounted on.
 * @param bytes Its size.
 * @throws {Failure} of the host.
 */
export async function createDisk(host: Host, folder: string, bytes: number): Promise<void> {
  const file = diskOf(folder);
  await host.files.makeDirectory(dirname(file));
  const argv = ["sh", "-euc", CREATE_DISK, "sh", file, `${bytes}`, folder] as const;
  const { code, stderr } = await host.processes.capture(argv);
  if (code !== 0) {
    throw hostFailure(
      `Cannot make a disk of ${asSize(bytes)} for the machine: ${stderr.trim()}`,
      'It needs loop devices and e2fsprogs: storage = "tmpfs" does without, ' +
        'and so does limits.disk_max = "infinity"',
    );
  }
  await host.files.chmod(folder, 0o700);
}

/**
 * Moves a disk with all that is on it. Fine when that was done.
 *
 * @param host The outside.
 * @param from The folder that it is mounted on.
 * @param to Where it is to be.
 * @returns False where there is none.
 * @throws {Failure} of the host.
 */
export async function moveDisk(host: Host, from: string, to: string): Promise<boolean> {
  const [file, there] = [diskOf(from), diskOf(to)];
  if (await host.files.lstat(file) !== null) await host.files.rename(file, there);
  else if (await host.files.lstat(there) === null) return false;
  await moveMount(host, from, to);
  await removeStrangersTree(host, from);
  return true;
}

/**
 * Unmounts a disk: its loop device goes with it. Fine when there is none.
 *
 * @param host The outside.
 * @param folder The folder that it is mounted on.
 * @throws {Failure} of the host.
 */
export async function removeDisk(host: Host, folder: string): Promise<void> {
  await unmountAll(host, folder);
  await host.files.remove(diskOf(folder));
}

/**
 * What is left on a file system that is a machine's alone.
 *
 * @param host The outside.
 * @param folder The folder that it is mounted on.
 * @returns Null where nobody tells.
 */
export async function remainingOn(host: Host, folder: string): Promise<Remaining | null> {
  const argv = ["df", "--block-size=1", "--output=avail,iavail", folder] as const;
  const { stdout } = await host.processes.capture(argv);
  const [, bytes, files] = stdout.match(/\n *(\d+) +(\d+)\n/) ?? [];
  return bytes === undefined ? null : { bytes: Number(bytes), files: Number(files) };
}
