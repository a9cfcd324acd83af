/**
 * A shell function that fails where the root of a machine has a link in the place of a folder on which systemd-nspawn
 * mounts. nspawn follows such a link out of the root, and would create files in a folder of the host.
 */
export const REFUSE_LINKS_SCRIPT = `refuse_links() {
  for name in dev proc run sys; do
    if [ -L "$1/$name" ]; then
      echo "its root has a link in the place of /$name, which may lead to a folder of the host" >&2
      exit 1
    fi
  done
}`;
