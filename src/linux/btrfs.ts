/** Subvolumes of btrfs. */

import { hostFailure } from "../failure.ts";
import type { Argv, Host } from "../host/host.ts";

/** The root of every subvolume has this inode number: btrfs(5). */
const SUBVOLUME_INODE = 256;

/** Returns whether a path on a btrfs is the root of a subvolume. */
export async function isSubvolume(host: Host, path: string): Promise<boolean> {
  const stat = await host.files.lstat(path);
  return stat?.kind === "directory" && stat.ino === SUBVOLUME_INODE;
}

/** Argument: a folder. */
export const SHOW_SUBVOLUME_SCRIPT = `
[ "$(stat --file-system --format=%T -- "$1")" = btrfs ] || exit 3
btrfs subvolume show "$1"
`;
const NOT_BTRFS = 3;

/**
 * Returns the UUID of a subvolume, which stays the same when it is moved. Inode number and time of birth would
 * not do: a snapshot shares them with its source.
 *
 * @param path Any path; links are followed.
 * @returns Null where btrfs(8) does not tell; undefined where the path is no subvolume.
 */
export async function subvolumeId(host: Host, path: string): Promise<string | null | undefined> {
  const stat = await host.files.stat(path);
  if (stat?.kind !== "directory" || stat.ino !== SUBVOLUME_INODE) return undefined;
  const { code, stdout } = await host.processes.capture([
    "sh",
    "-c",
    SHOW_SUBVOLUME_SCRIPT,
    "sh",
    path,
  ]);
  if (code === NOT_BTRFS) return undefined;
  return stdout.match(/^\s*UUID:\s+([0-9a-f-]{36})$/m)?.[1] ?? null;
}

/** Creates an empty subvolume. */
export async function createSubvolume(host: Host, path: string): Promise<void> {
  await btrfs(host, "create", path, [path]);
}

/** Creates a writable snapshot of a subvolume. */
export async function snapshotSubvolume(host: Host, from: string, to: string): Promise<void> {
  await btrfs(host, "snapshot", from, [from, to]);
}

/**
 * Returns how many bytes were written to a snapshot: those that it shares with no other subvolume.
 *
 * @returns Null where btrfs(8) takes longer than 5 seconds.
 */
export async function exclusiveBytes(host: Host, path: string): Promise<number | null> {
  const argv: Argv = ["timeout", "5", "btrfs", "filesystem", "du", "--summarize", "--raw", path];
  const { stdout } = await host.processes.capture(argv);
  const [, exclusive] = stdout.trim().split("\n").at(-1)?.trim().split(/\s+/) ?? [];
  return exclusive !== undefined && /^\d+$/.test(exclusive) ? Number(exclusive) : null;
}

async function btrfs(
  host: Host,
  verb: "create" | "snapshot",
  path: string,
  args: readonly string[],
): Promise<void> {
  const { code, stderr } = await host.processes.capture(["btrfs", "subvolume", verb, ...args]);
  if (code !== 0) throw hostFailure(`Cannot ${verb} subvolume ${path}: ${stderr.trim()}`);
}
