/** User namespaces: each machine has a range of the host's user and group ids that no other one has. */

import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import type { Lease } from "./lease.ts";
import { probe, probeResult } from "./host_probe.ts";

/** Ids of one machine: as many as user_namespaces(7) and most programs expect. */
export const COUNT = 65_536;

/** The upper part of what systemd keeps for containers: https://systemd.io/UIDS-GIDS. */
const FIRST = 0x6000_0000;
const SLOTS = 4096;

/** The ids of all machines together: the first, and the first after them. */
export const RANGE = [FIRST, FIRST + SLOTS * COUNT] as const;

/**
 * A range of ids that no machine has.
 *
 * @param leases All machines of the host.
 * @returns The first id of the range.
 * @throws {Failure} of the host where all are taken.
 */
export function freeIds(leases: readonly Lease[]): number {
  const taken = new Set(leases.map(({ ids }) => ids));
  for (let slot = 0; slot < SLOTS; slot++) {
    const first = FIRST + slot * COUNT;
    if (!taken.has(first)) return first;
  }
  throw hostFailure("Cannot give a machine ids of its own: all are taken");
}

/**
 * Whether a chroot's files can be shown with other owners than they have on the disk: by an idmapped mount,
 * mount_setattr(2), as this kernel, its file system and mount(8) have it. The answer is kept until the host
 * reboots.
 *
 * @param host The outside.
 * @param chroot The chroot's tree.
 * @returns False where the owners would stay what they are, in silence.
 */
export async function canMapOwners(host: Host, chroot: string): Promise<boolean> {
  const argv = [
    "unshare",
    "--mount",
    "sh",
    "-c",
    IDMAP_PROBE_SCRIPT,
    "sh",
    chroot,
    `${FIRST}`,
  ] as const;
  return await probe(host, "idmap", chroot, async () => {
    const done = await host.processes.capture(argv);
    return probeResult(done, done.stdout.trim() === `${FIRST}`);
  });
}

/** Words: a folder of root's, the first id. Prints who owns it then. */
export const IDMAP_PROBE_SCRIPT = `
mount --bind -o "X-mount.idmap=b:0:$2:${COUNT}" "$1" /mnt && stat --format=%u /mnt
`;
