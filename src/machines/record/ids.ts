/** User namespaces: each machine has a range of the host's user and group ids for itself. */

import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import type { CommonLease } from "./lease.ts";
import { attemptInOwnMounts, probe, PROBE_MOUNT_POINT } from "./host_probe.ts";

/** Ids per machine: the range of 16-bit ids, which most programs expect. */
export const IDS_PER_MACHINE = 65_536;

/** The upper half of the range that systemd reserves for containers: https://systemd.io/UIDS-GIDS. */
const FIRST_ID = 0x6000_0000;
const RANGE_COUNT = 4096;

/** The ids of all machines: the first one, and the first one after them. */
export const ID_RANGE = [FIRST_ID, FIRST_ID + RANGE_COUNT * IDS_PER_MACHINE] as const;

/**
 * Returns the first id of a range that no machine has.
 *
 * @param leases Those of all machines of the host.
 * @param others First ids that other containers of the host have.
 * @throws {Failure} of the host where all ranges are taken.
 */
export function freeIds(
  leases: readonly Pick<CommonLease, "ids">[],
  others: readonly number[] = [],
): number {
  const taken = new Set([...leases.map(({ ids }) => ids), ...others]);
  for (let slot = 0; slot < RANGE_COUNT; slot++) {
    const first = FIRST_ID + slot * IDS_PER_MACHINE;
    if (!taken.has(first)) return first;
  }
  throw hostFailure(
    "Cannot give the machine user ids of its own: all are taken",
    "Remove leftovers of machines: nspawn-runner gc",
  );
}

/** Returns the first ids that systemd-nspawn itself has chosen: a lock's file of each, in uid_range_unit of nspawn.c. */
export async function idsOfNspawn(host: Host): Promise<number[]> {
  return (await host.files.list("/run/systemd/nspawn-uid")).map(Number);
}

/**
 * Returns whether an idmapped mount, mount_setattr(2), can give a chroot's files other owners. It takes support by the
 * kernel, the file system and mount(8); without it the mount succeeds, and the owners stay. The answer is kept until
 * the host reboots.
 *
 * @param boot The id of this boot.
 * @param interrupt When aborted, ends the wait for another process's attempt.
 * @throws {Failure} of the host where the attempt proved nothing.
 */
export async function canMapOwners(
  host: Host,
  { store, chroot }: { readonly store: string; readonly chroot: string },
  boot: string,
  interrupt?: AbortSignal,
): Promise<boolean> {
  const words = ["sh", "-c", IDMAP_PROBE_SCRIPT, "sh", chroot, `${FIRST_ID}`, PROBE_MOUNT_POINT];
  const isRight = (stdout: string) => stdout.trim() === `${FIRST_ID}`;
  return await probe(
    host,
    { topic: "idmap", path: chroot, store, boot, interrupt },
    () => attemptInOwnMounts(host, words, isRight),
  );
}

/** Arguments: a folder of root, the first id, an empty folder. Prints the folder's owner in the idmapped mount. */
export const IDMAP_PROBE_SCRIPT = `
mount --bind -o "X-mount.idmap=b:0:$2:${IDS_PER_MACHINE}" "$1" "$3" && stat --format=%u "$3"
`;
