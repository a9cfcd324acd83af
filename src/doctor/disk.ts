/** Checks of the disk that holds the store: its limits, and its free space. */

import { LEAST_DISK } from "../config/checks.ts";
import type { Host } from "../host/host.ts";
import { ENABLE_SIMPLE_QUOTAS } from "../linux/btrfs_quota.ts";
import { diskSpace } from "../linux/disk.ts";
import { folderSizes } from "../machines/end/evict_caches.ts";
import { formatSize } from "../text/size.ts";
import { broken, type Check, ok, weak } from "./finding.ts";
import { expectedStorage } from "./store.ts";

/** With a smaller share of the disk free, jobs and builds may fail. */
const MIN_FREE = 0.1;

/** How limits.disk_max is enforced. */
export const diskLimit: Check = async (host, config, chroots) => {
  const topic = "disk limit";
  const { store, storage, limits } = config;
  if (limits.disk_max === "infinity" || await host.files.stat(store) === null) return [];
  const expected = await expectedStorage(host, config, chroots).catch(() => null);
  if (expected === null) return []; // the finding of storage()
  if (expected.kind !== "overlay") {
    const how = expected.kind === "btrfs" ? "by simple quotas" : "the size of a tmpfs";
    return ok(topic, `${limits.disk_max}, ${how}`);
  }
  const probe = await host.processes.capture(["sh", "-c", DISK_PROBE_SCRIPT]);
  if (probe.code !== 0) {
    return broken(
      topic,
      `no disk of ${limits.disk_max} can be created: ${probe.stderr.trim()}`,
      "Install e2fsprogs and load the module loop; in a container, give it the nodes of loop " +
        'devices; or set storage to "tmpfs"',
    );
  }
  return expected.canSnapshot && storage === "auto"
    ? weak(
      topic,
      `${limits.disk_max}, by overlays on disks of their own: simple quotas are off`,
      `${ENABLE_SIMPLE_QUOTAS} ${store} (Linux and btrfs-progs from 6.7)`,
    )
    : ok(topic, `${limits.disk_max}, by disks of their own`);
};

/** In a container, the kernel may offer a loop device that has no node in /dev. */
export const DISK_PROBE_SCRIPT = `
PATH=$PATH:/usr/sbin:/sbin
mkfs.ext4 -V 2>/dev/null || { echo no mkfs.ext4 >&2; exit 1; }
device=$(losetup --find) || exit 1
[ -b "$device" ] || { echo "no loop device: $device" >&2; exit 1; }
`;

/** Whether there is space for jobs, which the host does not need itself. */
export const freeDisk: Check = async (host, { store }) => {
  const topic = "free disk";
  const space = await diskSpace(host, store);
  if (space === null) return []; // the store does not exist yet
  const found = `${formatSize(space.free)} of ${formatSize(space.size)}`;
  if (space.free < space.size * MIN_FREE) {
    return weak(
      topic,
      found,
      "Free space with nspawn-runner gc and nspawn-runner chroot-remove, or use a larger disk",
    );
  }
  return await isOnRootDisk(host, store)
    ? weak(
      topic,
      `${found}, on the host's root file system, which caches of jobs may fill`,
      `Mount a file system of its own on ${store}: caches and writable binds have no limit`,
    )
    : ok(topic, found);
};

/** Subvolumes of one file system have different device numbers, and the same source. */
async function isOnRootDisk(host: Host, store: string): Promise<boolean> {
  const [own, root] = [await host.files.stat(store), await host.files.stat("/")];
  if (own !== null && own.dev === root?.dev) return true;
  const { stdout } = await host.processes.capture(["df", "--output=source", "/", store]);
  const [, ofRoot = "", ofStore] = stdout.trim().split("\n");
  return ofRoot.startsWith("/dev/") && ofRoot === ofStore;
}

/** How much the caches and builds folders of jobs hold: a job that uses one may fill it without a limit. */
export const caches: Check = async (host, { store, cache_max_size }) => {
  const topic = "caches";
  const sizes = await folderSizes(host, store);
  if (sizes.length === 0) return [];
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const found = sizes.length === 1
    ? formatSize(total)
    : `${formatSize(total)} in ${sizes.length}; the largest has ${formatSize(Math.max(...sizes))}`;
  if (total <= cache_max_size) return ok(topic, found);
  return weak(
    topic,
    `${found}: more than ${formatSize(cache_max_size)}`,
    "Remove those that no job uses: nspawn-runner gc",
  );
};

/** Whether disk_reserve keeps machines from starting on a full disk. */
export const diskReserve: Check = (_host, { disk_reserve }) => {
  const topic = "disk reserve";
  const found = formatSize(disk_reserve);
  return Promise.resolve(
    disk_reserve >= LEAST_DISK ? ok(topic, found) : weak(
      topic,
      `${found}: machines start on a full disk`,
      "Remove disk_reserve from the configuration",
    ),
  );
};
