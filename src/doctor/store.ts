/** Checks of the store: its owner, storage, disk limit, free space and chroots. */

import type { ChrootEntry } from "../chroots/find/list.ts";
import type { Config } from "../config/settings.ts";
import { messageOf } from "../failure.ts";
import type { Host } from "../host/host.ts";
import { ENABLE_SIMPLE_QUOTAS } from "../linux/btrfs_quota.ts";
import { isSubvolume } from "../linux/btrfs.ts";
import { diskSpace } from "../linux/disk.ts";
import { fileSystemOf, kernelFacts } from "../linux/proc.ts";
import { chooseStorage } from "../machines/storage/choose.ts";
import { formatSize } from "../text/size.ts";
import { broken, type Check, ok, weak } from "./finding.ts";

/** With a smaller share of the disk free, jobs and builds may fail. */
const MIN_FREE = 0.1;

/** Whether root alone can change the store, and thus what jobs start from. */
export const store: Check = async (host, { store }) => {
  const topic = "store";
  const stat = await host.files.stat(store);
  if (stat === null) {
    return weak(
      topic,
      `${store} does not exist yet`,
      "Create a chroot: nspawn-runner chroot-create bookworm",
    );
  }
  if (stat.kind !== "directory") {
    return broken(topic, `${store} is not a directory`, "Remove it, or set store");
  }
  if (stat.uid === 0 && (stat.mode & 0o022) === 0) return ok(topic, store);
  const mode = (stat.mode & 0o7777).toString(8);
  return broken(
    topic,
    `${store} is owned by user ${stat.uid}, mode ${mode}`,
    `chown root ${store} && chmod 755 ${store}`,
  );
};

/** Which storage a new machine gets. */
export const storage: Check = async (host, config, chroots) => {
  const topic = "storage";
  if (await host.files.stat(config.store) === null) return [];
  try {
    const { kind } = await expectedStorage(host, config, chroots);
    if (kind !== "tmpfs" || config.storage === "tmpfs") return ok(topic, kind);
    return weak(
      topic,
      "tmpfs: the store's file system cannot hold what machines write on an overlay",
      "Put the store on ext4, XFS or btrfs",
    );
  } catch (error) {
    return broken(topic, messageOf(error), "Set storage to auto");
  }
};

/** Returns the storage that a new machine of the first chroot would get. */
async function expectedStorage(host: Host, config: Config, chroots: readonly ChrootEntry[]) {
  const { store, storage, limits } = config;
  const ready = chroots.find(({ state }) => state === "ready");
  const chroot = await host.files.real(ready?.path ?? store) ?? store;
  const probeFolder = `${store}/.machines/doctor-${host.pid()}`;
  const isLimited = limits.disk_max !== "infinity";
  const facts = await kernelFacts(host);
  const chosen = await chooseStorage(host, facts, {
    choice: storage,
    store,
    folder: probeFolder,
    chroot,
    isLimited,
  });
  const onBtrfs = fileSystemOf(facts.mounts, chroot) === "btrfs";
  return { kind: chosen.kind, canSnapshot: onBtrfs && await isSubvolume(host, chroot) };
}

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

/** Whether there is space for jobs. */
export const freeDisk: Check = async (host, { store }) => {
  const topic = "free disk";
  const space = await diskSpace(host, store);
  if (space === null) return []; // the store does not exist yet
  const [own, root] = [await host.files.stat(store), await host.files.stat("/")];
  // Caches and writable binds have no limit.
  const shared = own !== null && own.dev === root?.dev ? ", on the host's root file system" : "";
  const found = `${formatSize(space.free)} of ${formatSize(space.size)}${shared}`;
  return space.free < space.size * MIN_FREE
    ? weak(
      topic,
      found,
      "Free space with nspawn-runner gc and nspawn-runner chroot-remove, or use a larger disk",
    )
    : ok(topic, found);
};

/** Which chroots jobs can use, and which definitions are invalid. */
export const chroots: Check = (_host, _config, entries) => {
  const ready = entries.filter(({ state }) => state === "ready").map(({ name }) => name);
  const list = ready.length === 0
    ? broken("chroots", "none is ready", "nspawn-runner chroot-create bookworm")
    : ok("chroots", ready.join(", "));
  const invalid = entries.filter(({ state }) => state === "invalid").map(({ name, reason }) =>
    broken(
      `definition of ${name}`,
      `${reason}`,
      "Correct it: until then, jobs with that image fail",
    )
  );
  return Promise.resolve([list, ...invalid]);
};
