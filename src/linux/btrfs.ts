/** Subvolumes of btrfs. */

import { hostFailure } from "../failure.ts";
import type { Argv, Host } from "../host/host.ts";

/** The root of every subvolume has this inode number: btrfs(5). */
const SUBVOLUME_INODE = 256;

/**
 * Whether a path is the root of a subvolume. The file system must be btrfs.
 *
 * @param host The outside.
 * @param path Any path.
 * @returns True for a subvolume.
 */
export async function isSubvolume(host: Host, path: string): Promise<boolean> {
  const stat = await host.files.lstat(path);
  return stat?.kind === "directory" && stat.ino === SUBVOLUME_INODE;
}

/** Words: a folder. */
export const SUBVOLUME_SCRIPT = `
[ "$(stat --file-system --format=%T -- "$1")" = btrfs ] || exit 3
btrfs subvolume show "$1"
`;
const NOT_BTRFS = 3;

/**
 * What no other subvolume has, wherever this one is moved to: a snapshot shares the inode number, and the time
 * of birth, with what it was made from.
 *
 * @param host The outside.
 * @param path Any path; links are followed.
 * @returns Its UUID; null where btrfs does not tell; undefined for what is no subvolume.
 */
export async function subvolumeId(host: Host, path: string): Promise<string | null | undefined> {
  const stat = await host.files.stat(path);
  if (stat?.kind !== "directory" || stat.ino !== SUBVOLUME_INODE) return undefined;
  const { code, stdout } = await host.processes.capture(["sh", "-c", SUBVOLUME_SCRIPT, "sh", path]);
  if (code === NOT_BTRFS) return undefined;
  return stdout.match(/^\s*UUID:\s+([0-9a-f-]{36})$/m)?.[1] ?? null;
}

/**
 * Makes an empty subvolume.
 *
 * @param host The outside.
 * @param path Where.
 * @throws {Failure} of the host.
 */
export async function createSubvolume(host: Host, path: string): Promise<void> {
  await btrfs(host, ["btrfs", "subvolume", "create", path]);
}

/**
 * Makes a writable snapshot.
 *
 * @param host The outside.
 * @param from A subvolume.
 * @param to Where the snapshot is to be.
 * @throws {Failure} of the host.
 */
export async function snapshotSubvolume(host: Host, from: string, to: string): Promise<void> {
  await btrfs(host, ["btrfs", "subvolume", "snapshot", from, to]);
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
  // It has subvolumes inside, which are rare: only now is it worth looking for them.
  for (const inner of await innerSubvolumes(host, path)) await deleteSubvolume(host, inner);
  await btrfs(host, argv);
}

/**
 * What a snapshot shares with nobody: what was written to it since.
 *
 * @param host The outside.
 * @param path The subvolume.
 * @returns Bytes; null where it cannot be told in a short time.
 */
export async function exclusiveBytes(host: Host, path: string): Promise<number | null> {
  const argv: Argv = ["timeout", "5", "btrfs", "filesystem", "du", "--summarize", "--raw", path];
  const { stdout } = await host.processes.capture(argv);
  const [, exclusive] = stdout.trim().split("\n").at(-1)?.trim().split(/\s+/) ?? [];
  return exclusive !== undefined && /^\d+$/.test(exclusive) ? Number(exclusive) : null;
}

async function innerSubvolumes(host: Host, path: string): Promise<string[]> {
  const inode = `${SUBVOLUME_INODE}`;
  // -xdev would stop at the very folders that are looked for: a subvolume is a device of its own.
  const argv: Argv = ["find", path, "-mindepth", "1", "-inum", inode, "-type", "d"];
  const found = await host.processes.capture([...argv, "-prune", "-print0"]);
  return found.stdout.split("\0").filter((inner) => inner !== "");
}

async function btrfs(host: Host, argv: Argv): Promise<void> {
  const { code, stderr } = await host.processes.capture(argv);
  if (code !== 0) throw hostFailure(`Cannot ${argv.slice(1, 3).join(" ")}: ${stderr.trim()}`);
}
