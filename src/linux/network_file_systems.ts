/** File systems that several hosts can mount at once. */

import { fileSystemOf, type Mount } from "./proc.ts";

/** Those of fstype_is_network() in systemd's src/basic/mountpoint-util.c, and those that hypervisors offer. */
const TYPES = [
  ...["afs", "ceph", "cifs", "davfs", "gfs", "gfs2", "glusterfs", "lustre", "ncp", "ncpfs"],
  ...["nfs", "nfs4", "ocfs2", "orangefs", "pvfs2", "smb3", "smbfs", "sshfs"],
  ...["9p", "beegfs", "gpfs", "prl_fs", "vboxsf", "virtiofs", "vmhgfs", "vmhgfs-fuse"],
];

/**
 * Returns whether other hosts may have mounted the file system of a path, too.
 *
 * @param path An absolute path without symlinks.
 */
export function isOnNetwork(mounts: readonly Mount[], path: string): boolean {
  return TYPES.includes(fileSystemOf(mounts, path).replace(/^fuse\./, ""));
}
