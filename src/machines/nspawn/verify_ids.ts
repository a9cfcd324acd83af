import { join } from "@std/path/posix";
import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { COUNT } from "../record/ids.ts";
import type { InitProcess } from "./init_process.ts";

/**
 * Proves that a machine has its own ids and no others, and that its files are its own.
 *
 * @param host The outside.
 * @param seen Its PID 1.
 * @param ids The first id of its range.
 * @param tree The chroot's tree.
 * @throws {Failure} of the host where it has not: it is less safe than it was promised.
 */
export async function verifyIds(
  host: Host,
  { idMap: map, rootOwner: owner }: InitProcess,
  ids: number,
  tree: string,
): Promise<void> {
  const onDisk = (await host.files.stat(join(tree, "usr")))?.uid ?? 0;
  const said = map.join(", ");
  if (said === `0 ${ids} ${COUNT}` && owner === `${ids + onDisk}`) return;
  throw hostFailure(
    `Cannot start the machine: its user namespace is not as it was asked for (${said}; files of ${onDisk} belong to ${owner})`,
    'private_users = "off" in the configuration does without',
  );
}
