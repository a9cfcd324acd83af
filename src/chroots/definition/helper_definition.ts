/** The definition of the helper root, which is used where the administrator has not written one. */

/** The name of the chroot that has it. */
export const HELPER_NAME = "helper";

/** The file as the administrator could write it. */
export const HELPER_DEFINITION = [
  'suite = "trixie"',
  'packages = ["busybox-static", "git-lfs", "openssh-client"]',
  "boot = false",
  "setup = [",
  '  "mkdir -p /builds /cache",',
  '  "test -e /etc/resolv.conf || touch /etc/resolv.conf",',
  "]",
  "",
].join("\n");
