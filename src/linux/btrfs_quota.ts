/** Limits of subvolumes of btrfs, by simple quotas: Linux 6.7, btrfs-quota(5). */

import { hostFailure } from "../failure.ts";
import type { Host } from "../host/host.ts";

/**
 * Prints how quotas count on the file system of a path. The ordinary ones bind a subvolume alone: whoever may
 * write in it makes another one inside, which has no limit.
 */
export const QUOTA_MODE_SCRIPT = `
id=$(btrfs filesystem show "$(stat --format=%m -- "$1")" | sed -n 's/.* uuid: //p')
cat "/sys/fs/btrfs/$id/qgroups/mode"
`;

/** What turns simple quotas on; a path follows. */
export const ENABLE = "btrfs quota enable --simple";

/**
 * Whether subvolumes of a file system can be limited, together with all that are made inside of them.
 *
 * @param host The outside.
 * @param path Any path on a btrfs.
 * @returns True where simple quotas are on.
 */
export async function hasSimpleQuotas(host: Host, path: string): Promise<boolean> {
  const { stdout } = await host.processes.capture(["sh", "-c", QUOTA_MODE_SCRIPT, "sh", path]);
  return stdout.trim() === "squota";
}

/** Words: the subvolume, bytes. The group has the subvolume's own number, one level above. */
export const LIMIT_SCRIPT = `
id=$(btrfs inspect-internal rootid "$1")
btrfs qgroup create "1/$id" "$1"
btrfs qgroup limit "$2" "1/$id" "$1"
btrfs qgroup assign --no-rescan "0/$id" "1/$id" "$1"
`;

/**
 * Limits what is written to a subvolume from now on, and to those that are made in it.
 *
 * @param host The outside.
 * @param path The subvolume, fresh.
 * @param bytes The limit.
 * @throws {Failure} of the host.
 */
export async function limitSubvolume(host: Host, path: string, bytes: number): Promise<void> {
  const argv = ["sh", "-euc", LIMIT_SCRIPT, "sh", path, `${bytes}`] as const;
  const { code, stderr } = await host.processes.capture(argv);
  if (code !== 0) throw hostFailure(`Cannot limit subvolume ${path}: ${stderr.trim()}`);
}

/**
 * Words: the subvolume. One that is full could not be deleted, and a group with members could not either; and
 * what is asked for by a path in a full one is refused, so that the path is that of the folder above.
 */
export const RELEASE_SCRIPT = `
id=$(btrfs inspect-internal rootid "$1") || exit 0
btrfs qgroup limit none "1/$id" "$1/.."
btrfs qgroup show -p --raw "$1/.." | while read -r member _ _ group _; do
  [ "$group" != "1/$id" ] || btrfs qgroup remove --no-rescan "$member" "$group" "$1/.."
done
btrfs qgroup destroy "1/$id" "$1/.."
`;

/**
 * Takes the limit of a subvolume away again. Fine where there is none.
 *
 * @param host The outside.
 * @param path The subvolume.
 */
export async function releaseSubvolume(host: Host, path: string): Promise<void> {
  await host.processes.capture(["sh", "-c", RELEASE_SCRIPT, "sh", path]);
}

/** Words: the subvolume. */
export const SHOW_QUOTA_SCRIPT = `
id=$(btrfs inspect-internal rootid "$1")
btrfs qgroup show -re --raw --sync "$1" | grep "^1/$id "
`;

/**
 * What is left of the limit of a subvolume. All that it wrote counts, what is still on its way as well.
 *
 * @param host The outside.
 * @param path The subvolume.
 * @returns Bytes; null where it has none.
 */
export async function leftOfSubvolume(host: Host, path: string): Promise<number | null> {
  const { stdout } = await host.processes.capture(["sh", "-c", SHOW_QUOTA_SCRIPT, "sh", path]);
  return parseGroup(stdout);
}

/**
 * What is left in a line of btrfs-qgroup(8): its name, what it refers to, what is its alone, the limit of the
 * one and of the other.
 *
 * @param line The line.
 * @returns Bytes; null where there is no limit.
 */
export function parseGroup(line: string): number | null {
  const [, used, limit] = line.match(/^1\/\d+ +(\d+) +\d+ +(\d+) /) ?? [];
  return used === undefined ? null : Math.max(0, Number(limit) - Number(used));
}
