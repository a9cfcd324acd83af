/** Chooses the storage of a new machine: by the configuration, else by what the store supports. */

import { join } from "@std/path/posix";
import type { StorageChoice } from "../../config/settings.ts";
import { hostFailure, refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { ENABLE_SIMPLE_QUOTAS, hasSimpleQuotas } from "../../linux/btrfs_quota.ts";
import { isSubvolume } from "../../linux/btrfs.ts";
import { fileSystemOf, type KernelFacts } from "../../linux/proc.ts";
import type { StorageKind } from "../record/lease.ts";
import { isPulledImage, type RootSource } from "../record/lower.ts";
import { attemptInOwnMounts, probe } from "../record/host_probe.ts";
import { btrfs } from "./btrfs.ts";
import { overlay } from "./overlay.ts";
import type { Storage } from "./storage.ts";
import { tmpfs } from "./tmpfs.ts";
import { tree } from "./tree.ts";

const STORAGES: Readonly<Record<StorageKind, Storage>> = { overlay, btrfs, tmpfs, tree };

/** Returns the storage of a kind that a lease records. */
export function storageOf(kind: StorageKind): Storage {
  return STORAGES[kind];
}

/** What the choice of a storage depends on. */
export interface StorageRequest {
  readonly choice: StorageChoice;
  readonly store: string;
  /** The machine's own folder, in which an overlay is tried; it does not exist yet. */
  readonly folder: string;
  readonly base: RootSource;
  /** Whether the machine's writes are limited. */
  readonly isLimited: boolean;
  /** When aborted, ends the wait for another process's probe. */
  readonly interrupt?: AbortSignal;
}

/**
 * Chooses the storage of a new machine.
 *
 * @throws {Failure} `refused` or `host` where the configured storage is not possible on this store.
 */
export async function chooseStorage(
  host: Host,
  facts: KernelFacts,
  { choice, store, folder, base, isLimited, interrupt }: StorageRequest,
): Promise<Storage> {
  if (choice === "tmpfs") return tmpfs;
  const type = fileSystemOf(facts.mounts, await host.files.real(store) ?? store);
  // The layers of an image are no subvolume: its machines have an overlay, also on btrfs.
  const isImage = isPulledImage(base);
  const canSnapshot = type === "btrfs" && !isImage && await isSubvolume(host, base.path);
  if (choice === "btrfs" && !canSnapshot && !isImage) throw cannotSnapshot(type, base.path);
  if (canSnapshot && choice !== "overlay") {
    if (!isLimited || await hasSimpleQuotas(host, store)) return btrfs;
    if (choice === "btrfs") throw cannotLimitSnapshots(store);
  }
  if (choice === "overlay" || await canHoldUpperLayer(host, store, folder, facts.boot, interrupt)) {
    return overlay;
  }
  return tmpfs;
}

function cannotSnapshot(type: string, chroot: string): Error {
  return refused(
    type === "btrfs"
      ? `Cannot use storage "btrfs": ${chroot} is not a subvolume`
      : `Cannot use storage "btrfs": the store is on ${type}`,
    'Create the chroot again on btrfs, or set storage = "overlay" or "tmpfs"',
  );
}

function cannotLimitSnapshots(store: string): Error {
  return hostFailure(
    "Cannot limit what a machine writes on btrfs: simple quotas are off",
    `Turn them on: ${ENABLE_SIMPLE_QUOTAS} ${store} (Linux and btrfs-progs from 6.7); or set storage = "auto"`,
  );
}

/**
 * Returns whether the store can hold the upper layer of an overlay. One is mounted in a mount namespace of its own;
 * the answer is kept until the host reboots.
 */
function canHoldUpperLayer(
  host: Host,
  store: string,
  folder: string,
  boot: string,
  interrupt?: AbortSignal,
): Promise<boolean> {
  const request = { topic: "overlay", path: store, store, boot, interrupt } as const;
  return probe(host, request, () => tryOverlay(host, folder));
}

async function tryOverlay(host: Host, folder: string): Promise<boolean> {
  const [lower, upper, work] = ["lower", "upper", "work"].map((name) => join(folder, name));
  try {
    for (const path of [lower, upper, work]) await host.files.makeDirectory(path!);
    const words = ["sh", "-c", OVERLAY_PROBE_SCRIPT, "sh", folder];
    return await attemptInOwnMounts(host, words, () => true);
  } finally {
    await host.files.removeTree(folder);
  }
}

/** Argument: the folder. An upper layer must be able to hold a whiteout, which NFS cannot. */
export const OVERLAY_PROBE_SCRIPT = 'cd "$1" && touch lower/file && ' +
  "mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work overlay lower && rm lower/file";
