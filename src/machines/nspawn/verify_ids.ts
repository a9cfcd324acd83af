import { join } from "@std/path/posix";
import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { idCount } from "../record/ids.ts";
import type { InitProcess } from "./init_process.ts";

/**
 * Verifies from the host that a machine has exactly its own range of ids, and sees the chroot's files with them.
 *
 * @param ids The first id of its range.
 * @param tree The chroot's tree.
 * @throws {Failure} `host` where it has not.
 */
export async function verifyIds(
  host: Host,
  { idMap, rootOwner }: InitProcess,
  ids: number,
  tree: string,
): Promise<void> {
  const ownerOnDisk = (await host.files.stat(join(tree, "usr")))?.uid ?? 0;
  const map = idMap.join(", ");
  if (map === `0 ${ids} ${idCount(ids)}` && rootOwner === `${ids + ownerOnDisk}`) return;
  throw hostFailure(
    `Cannot start the machine: its user namespace is not the requested one ` +
      `(map ${map}; files of ${ownerOnDisk} belong to ${rootOwner})`,
    "Check the host: nspawn-runner doctor",
  );
}
