/** Which host uses a store: locks, boots and ids are those of one host, so that two would remove each other's machines. */

import { join } from "@std/path/posix";
import { type Failure, hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { isOnNetwork } from "../../linux/network_file_systems.ts";
import type { Mount } from "../../linux/proc.ts";
import { listCommonLeases, machineId, otherHostFailure } from "./lease.ts";

/** The file that names the host that uses a store: its id, and its name for people. */
export function ownerMark(store: string): string {
  return join(store, ".host");
}

/**
 * Names this host in a store, unless one is named already. Only where other hosts may have mounted its file system: a
 * disk that was moved to another host, or copied to several, has no mark.
 */
export async function markStore(
  host: Host,
  store: string,
  mounts: readonly Mount[],
): Promise<void> {
  if (!isOnNetwork(mounts, store) || await host.files.read(ownerMark(store)) !== null) return;
  const id = await machineId(host);
  if (id === null) return;
  await host.files.replace(ownerMark(store), `${id} ${host.hostname()}\n`, 0o644);
}

/** Returns the failure to use a store whose mark names another host; null where it names none. */
export async function foreignStore(host: Host, store: string): Promise<Failure | null> {
  const [id = "", name = id] = (await host.files.read(ownerMark(store)))?.trim().split(" ") ?? [];
  const own = id === "" ? null : await machineId(host);
  if (own === null || own === id) return null;
  return hostFailure(
    `Cannot use store ${store}: it is that of another host, ${name}`,
    `Give each host a store of its own. If that host does not use it any more: rm ${
      ownerMark(store)
    }`,
  );
}

/**
 * Refuses a store that another host uses: by its mark, or with a machine.
 *
 * @throws {Failure} of the host.
 */
export async function refuseOtherHost(host: Host, store: string): Promise<void> {
  const failure = await foreignStore(host, store) ??
    otherHostFailure(await listCommonLeases(host, store), await machineId(host));
  if (failure !== null) throw failure;
}
