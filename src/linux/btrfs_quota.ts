/** Limits of btrfs subvolumes by simple quotas: btrfs-quota(5), Linux 6.7. */

import { hostFailure } from "../failure.ts";
import type { Host } from "../host/host.ts";

/**
 * Prints the quota mode of the file system that holds a path. Quotas in the mode `qgroup` do not limit subvolumes
 * that are created inside a limited one.
 */
export const QUOTA_MODE_SCRIPT = `
id=$(btrfs filesystem show "$(stat --format=%m -- "$1")" | sed -n 's/.* uuid: //p')
cat "/sys/fs/btrfs/$id/qgroups/mode"
`;

/** The command that turns simple quotas on; a path follows. */
export const ENABLE_SIMPLE_QUOTAS = "btrfs quota enable --simple";

/** Returns whether simple quotas are on for the btrfs that holds a path. */
export async function hasSimpleQuotas(host: Host, path: string): Promise<boolean> {
  const { stdout } = await host.processes.capture(["sh", "-c", QUOTA_MODE_SCRIPT, "sh", path]);
  return stdout.trim() === "squota";
}

/** Arguments: the subvolume, bytes. The group has the subvolume's number, at level 1. */
export const LIMIT_SCRIPT = `
id=$(btrfs inspect-internal rootid "$1")
btrfs qgroup create "1/$id" "$1"
btrfs qgroup limit "$2" "1/$id" "$1"
btrfs qgroup assign --no-rescan "0/$id" "1/$id" "$1"
`;

/**
 * Limits how many bytes can be written to a subvolume, together with those that are created in it.
 *
 * @param path A new subvolume: what it holds already does not count.
 */
export async function limitSubvolume(host: Host, path: string, bytes: number): Promise<void> {
  const argv = ["sh", "-euc", LIMIT_SCRIPT, "sh", path, `${bytes}`] as const;
  const { code, stderr } = await host.processes.capture(argv);
  if (code !== 0) throw hostFailure(`Cannot limit subvolume ${path}: ${stderr.trim()}`);
}

/**
 * Shell function that removes the limit of the subvolume in its first argument. Neither a full subvolume can be
 * deleted, nor a group with members. A full subvolume refuses all requests for paths in it, so that they name the
 * folder above.
 */
export const REMOVE_LIMIT_FUNCTION = `
remove_limit() {
  id=$(btrfs inspect-internal rootid "$1") || return 0
  btrfs qgroup limit none "1/$id" "$1/.."
  btrfs qgroup show -p --raw "$1/.." | while read -r member _ _ group _; do
    [ "$group" != "1/$id" ] || btrfs qgroup remove --no-rescan "$member" "$group" "$1/.."
  done
  btrfs qgroup destroy "1/$id" "$1/.."
}
`;

/** Argument: the subvolume. */
export const SHOW_QUOTA_SCRIPT = `
id=$(btrfs inspect-internal rootid "$1")
btrfs qgroup show -re --raw --sync "$1" | grep "^1/$id "
`;

/**
 * Returns how many bytes can still be written to a subvolume, after all pending writes.
 *
 * @returns Null where it has no limit.
 */
export async function remainingInSubvolume(host: Host, path: string): Promise<number | null> {
  const { stdout } = await host.processes.capture(["sh", "-c", SHOW_QUOTA_SCRIPT, "sh", path]);
  return parseRemaining(stdout);
}

/**
 * Returns the remaining bytes in a line of btrfs-qgroup(8): name, referenced bytes, exclusive bytes, the limits
 * of both.
 *
 * @returns Null where there is no limit.
 */
export function parseRemaining(line: string): number | null {
  const [, used, limit] = line.match(/^1\/\d+ +(\d+) +\d+ +(\d+) /) ?? [];
  return used === undefined ? null : Math.max(0, Number(limit) - Number(used));
}
