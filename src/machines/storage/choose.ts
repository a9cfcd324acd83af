/** Which storage a machine gets: by configuration, else what the store can really do. */

import { join } from "@std/path/posix";
import type { StorageChoice } from "../../config/settings.ts";
import { hostFailure, refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { ENABLE, hasSimpleQuotas } from "../../linux/btrfs_quota.ts";
import { isSubvolume } from "../../linux/btrfs.ts";
import { fileSystemOf, type KernelFacts } from "../../linux/proc.ts";
import type { StorageKind } from "../record/lease.ts";
import { succeeds, verdict } from "../record/host_probe.ts";
import { btrfs } from "./btrfs.ts";
import { overlay } from "./overlay.ts";
import type { Storage } from "./storage.ts";
import { tmpfs } from "./tmpfs.ts";

const STORAGES: Readonly<Record<StorageKind, Storage>> = { overlay, btrfs, tmpfs };

/**
 * The storage of that kind.
 *
 * @param kind As a lease records it.
 * @returns The storage.
 */
export function storageOf(kind: StorageKind): Storage {
  return STORAGES[kind];
}

/**
 * Picks the storage of a new machine.
 *
 * @param host The outside.
 * @param facts What the kernel says.
 * @param choice What the configuration says.
 * @param store The store's folder, which exists.
 * @param folder The machine's own folder, for a trial.
 * @param chroot The chroot's path.
 * @param isLimited Whether there is a limit to what the machine may write.
 * @returns The storage.
 * @throws {Failure} where the configuration wants what this store cannot do.
 */
export async function chooseStorage(
  host: Host,
  facts: KernelFacts,
  choice: StorageChoice,
  store: string,
  folder: string,
  chroot: string,
  isLimited: boolean,
): Promise<Storage> {
  if (choice === "tmpfs") return tmpfs;
  const type = fileSystemOf(facts.mounts, await host.files.real(store) ?? store);
  const snapshots = type === "btrfs" && await isSubvolume(host, chroot);
  if (choice === "btrfs" && !snapshots) throw cannotSnapshot(type, chroot);
  if (snapshots && choice !== "overlay") {
    if (!isLimited || await hasSimpleQuotas(host, store)) return btrfs;
    if (choice === "btrfs") throw cannotLimitSnapshots(store);
  }
  if (choice === "overlay" || await canHoldUpperLayer(host, store, folder)) return overlay;
  return tmpfs;
}

function cannotSnapshot(type: string, chroot: string): Error {
  return refused(
    type === "btrfs"
      ? `Cannot use storage "btrfs": ${chroot} is no subvolume`
      : `Cannot use storage "btrfs": the store is on ${type}`,
    "Create the chroot anew on btrfs, or set storage to overlay or tmpfs",
  );
}

function cannotLimitSnapshots(store: string): Error {
  return hostFailure(
    "Cannot limit what a machine writes on btrfs: simple quotas are off",
    `Turn them on: ${ENABLE} ${store} (Linux and btrfs-progs from 6.7); or set storage to auto`,
  );
}

/**
 * Whether the store can hold the upper layer of an overlay: tried by mounting one, in a mount
 * namespace that ends with the trial. The answer is kept until the host reboots.
 */
function canHoldUpperLayer(host: Host, store: string, folder: string): Promise<boolean> {
  return succeeds(host, "overlay", store, () => tryOverlay(host, folder));
}

async function tryOverlay(host: Host, folder: string): Promise<boolean> {
  const [lower, upper, work] = ["lower", "upper", "work"].map((name) => join(folder, name));
  try {
    for (const path of [lower, upper, work]) await host.files.makeDirectory(path!);
    const mount = await host.processes.capture([
      "unshare",
      "--mount",
      "sh",
      "-c",
      // A whiteout is what an upper layer must be able to hold, and NFS cannot.
      'cd "$1" && touch lower/file && mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work overlay lower && rm lower/file',
      "sh",
      folder,
    ]);
    return verdict(mount, true);
  } finally {
    await host.files.removeTree(folder);
  }
}
