/** How owners are moved, and whether this host can. */

import { join } from "@std/path/posix";
import type { Host } from "../../../host/host.ts";
import { COUNT, RANGE } from "../../record/ids.ts";
import { nspawnVersion } from "../../../linux/nspawn.ts";
import { succeeds, verdict } from "../../record/host_probe.ts";
import { shiftedLayersFolder, METACOPY, TRIAL_PREFIX } from "./layer.ts";

/**
 * Words: an empty folder, a tree, the first id. Leaves `upper` in the folder, to be mounted over the tree.
 *
 * Each file is changed by the name that it has in the tree itself, so that all names of a hard link come along;
 * index=on keeps them one file. chown(2) takes set-uid modes and file capabilities away: the former come back
 * by chmod; the latter are listed by tar(1), which reads no content for /dev/null, and copied by cp(1). They are
 * as they were, and so count in the machine's user namespace, for what is the machine's: capabilities(7).
 */
const SHIFT_OWNERS = `
export LC_ALL=C
cd "$1"
mkdir lower upper work merged
mount --bind "$2" lower
mount -t overlay -o ${METACOPY},index=on,lowerdir=lower,upperdir=upper,workdir=work overlay merged
cd lower
shifted() {
  if [ "$1" -lt ${COUNT} ]; then echo "$(($1 + $2))"; else echo "$1"; fi
}
find . -printf '%U %G\\n' >../owners
sort -u -o ../owners ../owners
while read -r uid gid; do
  to=$(shifted "$uid" "$3"):$(shifted "$gid" "$3")
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
cd "$1/upper"
umount ../merged ../lower
cd ..
rm -r lower work merged owners modes names listing capable
`;

/** Goes on after that: a machine's overlay, and what is seen in it. */
const READ_THROUGH_SHIFTED_OVERLAY = `
mkdir lower over work root
mount --bind "$2" lower
mount -t overlay -o ${METACOPY},lowerdir=upper:lower,upperdir=over,workdir=work overlay root
stat --format='%u %a' root/file
cat root/file
`;

/**
 * The command line that moves the owners of a tree, in a mount namespace that ends with it.
 *
 * @param folder An empty folder, where it leaves `upper`.
 * @param tree The tree, which is not changed.
 * @param ids The first id.
 * @param more What follows in the same namespace.
 * @returns The words.
 */
export function shiftArgv(folder: string, tree: string, ids: number, more = "") {
  const around = ["unshare", "--mount", "--propagation=private", "sh", "-euc"] as const;
  return [...around, SHIFT_OWNERS + more, "sh", folder, tree, `${ids}`] as const;
}

/** From this version on nspawn takes a root whose owners somebody else has moved, and maps binds. */
const MIN_NSPAWN_VERSION = 250;

/**
 * Whether the store can hold shifted layers, and machines see the owners in them: tried with a small tree. The
 * answer is kept until the host reboots. The caller holds the store's lock.
 *
 * @param host The outside.
 * @param store The store's folder, which exists.
 * @returns False where owners would not be what they have to be.
 */
export async function canShift(host: Host, store: string): Promise<boolean> {
  return await succeeds(host, "shift", store, async () => {
    return await nspawnVersion(host) >= MIN_NSPAWN_VERSION && await tryShift(host, store);
  });
}

async function tryShift(host: Host, store: string): Promise<boolean> {
  const trial = join(shiftedLayersFolder(store), TRIAL_PREFIX + crypto.randomUUID());
  const [folder, tree] = [join(trial, "layer"), join(trial, "tree")];
  try {
    for (const path of [folder, tree]) await host.files.makeDirectory(path);
    await host.files.write(join(tree, "file"), "content", 0o4750);
    const argv = shiftArgv(folder, tree, RANGE[0], READ_THROUGH_SHIFTED_OVERLAY);
    const done = await host.processes.capture(argv);
    return verdict(done, done.stdout === `${RANGE[0]} 4750\ncontent`);
  } finally {
    await host.files.removeTree(trial);
  }
}
