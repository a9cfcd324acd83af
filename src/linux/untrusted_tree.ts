/** Trees that jobs wrote. */

import { hostFailure } from "../failure.ts";
import type { Host } from "../host/host.ts";

/**
 * Shell functions; the last one removes a tree, whatever a job made of it: names of any bytes, paths longer than the
 * kernel takes, immutable files, and subvolumes of btrfs.
 *
 * The root of each subvolume has inode 256: btrfs(5). A read-only one is deleted as others are, unless there are some in
 * it; one whose path is too long for btrfs(8) is removed by rm(1). systemd-run(1) would expand `$$`, and a dollar sign
 * with braces.
 */
export const REMOVE_TREE_FUNCTIONS = `
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
# Arguments: the tree, the number of levels that are searched, find's action. Inner subvolumes come first.
find_subvolumes() {
  tree=$1 levels=$2
  shift 2
  find "$tree" -maxdepth "$levels" -depth -type d -inum 256 "$@"
}
delete_subvolumes() {
  find_subvolumes "$1" "$2" -print0 | xargs -0 -r btrfs subvolume delete
}
unlock_subvolumes() {
  force=
  ! btrfs property set --help | grep -q "^ *-f " || force=-f
  # shellcheck disable=SC2086 # no word or one
  find_subvolumes "$1" "$2" -execdir btrfs property set $force -ts {} ro false ";"
}
has_subvolumes() {
  [ -n "$(find "$1" -type d -inum 256 -printf . -quit)" ]
}
# A process for each subvolume is needed only for those in which a job hid others.
remove_subvolumes() {
  delete_subvolumes "$1" 1
  has_subvolumes "$1" || return 0
  unlock_subvolumes "$1" 1
  delete_subvolumes "$1" 1000000
  has_subvolumes "$1" || return 0
  unlock_subvolumes "$1" 1000000
  delete_subvolumes "$1" 1000000
  find_subvolumes "$1" 1000000 -execdir rm --recursive --force --one-file-system -- {} ";"
}
# Fails where no subvolume can be in the tree, or a file system is mounted in it.
may_have_subvolumes() {
  [ -d "$1" ] && [ ! -L "$1" ] && [ "$(stat --file-system --format=%T -- "$1")" = btrfs ] &&
    ! grep -q -F " $(cd -P -- "$1" && pwd)/" /proc/self/mountinfo
}
remove_files() {
  rm --recursive --force --one-file-system -- "$1"
}
remove_tree() {
  ! may_have_subvolumes "$1" || remove_subvolumes "$1" >/dev/null 2>&1
  remove_files "$1" 2>/dev/null && return
  find "$1" -xdev -execdir chattr -f -i -a -- {} + 2>/dev/null
  remove_files "$1"
}
`;

/** Argument: the tree. */
export const REMOVE_TREE_SCRIPT = `${REMOVE_TREE_FUNCTIONS}
remove_tree "$1"
`;

/**
 * Removes a tree, whatever a job made of it; does nothing where it does not exist. Links are not followed.
 *
 * @throws {Failure} of the host where a file cannot be removed.
 */
export async function removeUntrustedTree(host: Host, path: string): Promise<void> {
  if (await host.files.lstat(path) === null) return;
  const argv = ["sh", "-c", REMOVE_TREE_SCRIPT, "sh", path] as const;
  const { code, stderr } = await host.processes.capture(argv);
  if (code !== 0) throw hostFailure(`Cannot remove ${path}: ${stderr.trim().split("\n")[0]}`);
}
