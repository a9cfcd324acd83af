import { METACOPY } from "./layer.ts";

/**
 * Makes metadata-only copies of files whose owners are shifted: those that the machine has are added to its first id.
 * Arguments: an empty folder, the folder of the layers, the first id, how many ids it has, the layers as overlayfs names
 * them. Leaves the copies in the folder `upper`. One layer alone cannot be mounted as a read-only overlay.
 *
 * Files are changed by their path in the tree, so that all names of a hard link are copied; index=on keeps them one
 * file. chown(2) clears set-uid bits and file capabilities: chmod restores the former; tar, which reads no content
 * when it writes to /dev/null, lists the latter, and cp copies them. They apply in the machine's user namespace:
 * capabilities(7).
 */
export const SHIFT_OWNERS_SCRIPT = `
export LC_ALL=C
cd "$1"
mkdir lower upper work merged view
mount --bind "$2" lower
cd lower
export LIBMOUNT_FORCE_MOUNT2=always # by fsconfig(2) a list of layers may have 256 bytes only
mount -t overlay -o "${METACOPY},index=on,lowerdir=$5,upperdir=../upper,workdir=../work" overlay ../merged
case $5 in
*:*) mount -t overlay -o "ro,lowerdir=$5" overlay ../view ;;
*) mount --bind "$5" ../view ;;
esac
cd ../view
shifted() {
  if [ "$1" -lt "$3" ]; then echo "$(($1 + $2))"; else echo "$1"; fi
}
find . -printf '%U %G\\n' >../owners
sort -u -o ../owners ../owners
while read -r uid gid; do
  to=$(shifted "$uid" "$3" "$4"):$(shifted "$gid" "$3" "$4")
  find . -uid "$uid" -gid "$gid" -print0 >../names
  (cd ../merged && xargs --null --arg-file=../names chown --no-dereference "$to" --)
done <../owners
find . ! -type d ! -type l -perm /6000 -printf '%m\\n' >../modes
sort -u -o ../modes ../modes
while read -r mode; do
  find . ! -type d ! -type l -perm "$mode" -print0 >../names
  (cd ../merged && xargs --null --arg-file=../names chmod "$mode" --)
done <../modes
find . -type f -print0 >../names
: >../listing
[ ! -s ../names ] || tar --create --file=/dev/null --null --no-recursion --verbatim-files-from \\
  --files-from=../names --hard-dereference --xattrs --xattrs-include=security.capability \\
  --numeric-owner --quoting-style=escape --verbose --verbose >../listing
sed -n 's/^-.\\{9\\}\\* *[0-9]*\\/[0-9]* *[0-9]* [-0-9]* [:0-9]* //p' ../listing >../capable
while IFS= read -r quoted; do
  name=$(printf '%b.' "$quoted")
  name=\${name%.}
  cp --attributes-only --no-dereference --preserve=xattr -- "$name" "../merged/$name"
done <../capable
cd "$1"
umount view merged lower
rm -r lower view work merged owners modes names listing capable
`;
