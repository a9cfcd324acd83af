/** Shifts the owners of a tree's files to the ids of a machine, and tries whether this host can do that. */

import { join } from "@std/path/posix";
import type { Host } from "../../../host/host.ts";
import { ID_AREA, idCount } from "../../record/ids.ts";
import { type Lower, treeAsLower } from "../../record/lower.ts";
import { nspawnVersion } from "../../../linux/nspawn.ts";
import { attemptInOwnMounts, probe } from "../../record/host_probe.ts";
import { METACOPY, PROBE_PREFIX, shiftedLayersFolder } from "./layer.ts";
import { SHIFT_OWNERS_SCRIPT } from "./shift_script.ts";

/** Continues after SHIFT_OWNERS_SCRIPT with the same arguments: mounts a machine's overlay and prints a file in it. */
export const READ_SHIFTED_SCRIPT = `
mkdir lower over work root
mount --bind "$2" lower
mount -t overlay -o ${METACOPY},lowerdir=upper:lower,upperdir=over,workdir=work overlay root
stat --format='%u %a' root/file
cat root/file
`;

const NAMESPACE = ["unshare", "--mount", "--propagation=private"] as const;

/**
 * Returns a command line that shifts the owners of the files in layers, in a mount namespace that ends with it.
 *
 * @param folder An empty folder, in which it creates `upper`; the layers are not changed.
 * @param ids The first id of the machine's range.
 * @param more A shell program that continues in the same namespace.
 */
export function shiftArgv(folder: string, lower: Lower, ids: number, more = "") {
  const script = ["sh", "-euc", SHIFT_OWNERS_SCRIPT + more, "sh"] as const;
  return [
    ...NAMESPACE,
    ...script,
    folder,
    lower.folder,
    `${ids}`,
    `${idCount(ids)}`,
    lower.layers.join(":"),
  ] as const;
}

/** nspawn from this version on accepts a root whose owners are shifted already, and maps the owners of binds. */
const MIN_NSPAWN_VERSION = 250;

/**
 * Returns whether the store can hold shifted layers and a machine would see the shifted owners. A small tree is
 * tried; the answer is kept until the host reboots.
 */
export async function canShift(
  host: Host,
  store: string,
  boot: string,
  interrupt?: AbortSignal,
): Promise<boolean> {
  const attempt = async () =>
    await nspawnVersion(host) >= MIN_NSPAWN_VERSION && await tryShift(host, store);
  return await probe(host, { topic: "shift", path: store, store, boot, interrupt }, attempt);
}

async function tryShift(host: Host, store: string): Promise<boolean> {
  const probeFolder = join(shiftedLayersFolder(store), PROBE_PREFIX + crypto.randomUUID());
  const [folder, tree] = [join(probeFolder, "layer"), join(probeFolder, "tree")];
  try {
    for (const path of [folder, tree]) await host.files.makeDirectory(path);
    await host.files.write(join(tree, "file"), "content", 0o4750);
    const argv = shiftArgv(folder, treeAsLower(tree), ID_AREA[0], READ_SHIFTED_SCRIPT);
    const isRight = (stdout: string) => stdout === `${ID_AREA[0]} 4750\ncontent`;
    return await attemptInOwnMounts(host, argv, isRight);
  } finally {
    await host.files.removeTree(probeFolder);
  }
}
