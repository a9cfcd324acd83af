/** Whether chroots and machines have a place, and what is in it. */

import { listChroots } from "../chroots/find/list.ts";
import { findDefinition } from "../chroots/definition/definition.ts";
import type { Config } from "../config/settings.ts";
import { messageOf } from "../failure.ts";
import type { Host } from "../host/host.ts";
import { ENABLE } from "../linux/btrfs_quota.ts";
import { isSubvolume } from "../linux/btrfs.ts";
import { fileSystemOf, kernelFacts } from "../linux/proc.ts";
import { chooseStorage } from "../machines/storage/choose.ts";
import { asSize } from "../text/size.ts";
import { broken, type Check, type Finding, ok, weak } from "./finding.ts";

/** Less than this share of the disk is too little for jobs and builds. */
const LEAST_FREE = 0.1;

/** The store itself: nobody but root may change what jobs start from. */
export const store: Check = async (host, { store }) => {
  const topic = "store";
  const stat = await host.files.stat(store);
  if (stat === null) {
    return weak(
      topic,
      `${store} is not there yet`,
      "nspawn-runner chroot-create bookworm makes it",
    );
  }
  if (stat.kind !== "directory") {
    return broken(topic, `${store} is no folder`, "Remove it, or set store");
  }
  if (stat.uid === 0 && (stat.mode & 0o022) === 0) return ok(topic, store);
  const mode = (stat.mode & 0o7777).toString(8);
  return broken(
    topic,
    `${store} belongs to user ${stat.uid}, mode ${mode}`,
    `chown root ${store} && chmod 755 ${store}`,
  );
};

/** How writes are kept off chroots. */
export const storage: Check = async (host, config) => {
  const topic = "storage";
  if (await host.files.stat(config.store) === null) return [];
  try {
    const { kind } = await chosenFor(host, config);
    if (kind !== "tmpfs" || config.storage === "tmpfs") return ok(topic, kind);
    return weak(
      topic,
      "tmpfs: the store cannot hold the writes of an overlay",
      "Put the store on ext4, XFS or btrfs",
    );
  } catch (error) {
    return broken(topic, messageOf(error), "Set storage to auto");
  }
};

/** What a new machine of the first chroot would have. */
async function chosenFor(host: Host, config: Config) {
  const { store, storage, limits } = config;
  const [ready] = (await listChroots(host, config)).filter(({ state }) => state === "ready");
  const chroot = await host.files.real(ready?.path ?? store) ?? store;
  const trial = `${store}/.machines/doctor-${host.pid()}`;
  const isLimited = limits.disk_max !== "infinity";
  const facts = await kernelFacts(host);
  const chosen = await chooseStorage(host, facts, storage, store, trial, chroot, isLimited);
  const onBtrfs = fileSystemOf(facts.mounts, chroot) === "btrfs";
  return { kind: chosen.kind, canSnapshot: onBtrfs && await isSubvolume(host, chroot) };
}

/** What keeps machines from writing more than they may. */
export const quota: Check = async (host, config) => {
  const topic = "disk limit";
  const { store, storage, limits } = config;
  if (limits.disk_max === "infinity" || await host.files.stat(store) === null) return [];
  const chosen = await chosenFor(host, config).catch(() => null); // the row of the storage says it
  if (chosen === null) return [];
  if (chosen.kind !== "overlay") return ok(topic, `${limits.disk_max}, ${BY[chosen.kind]}`);
  const trial = await host.processes.capture(["sh", "-c", CAN_MAKE_DISKS]);
  if (trial.code !== 0) {
    return broken(
      topic,
      `no disk of ${limits.disk_max} can be made: ${trial.stderr.trim()}`,
      'Install e2fsprogs; load the module loop, or give a container its nodes; or set storage to "tmpfs"',
    );
  }
  return chosen.canSnapshot && storage === "auto"
    ? weak(
      topic,
      `${limits.disk_max}, by overlays on disks of their own: simple quotas are off`,
      `${ENABLE} ${store} (Linux and btrfs-progs from 6.7)`,
    )
    : ok(topic, `${limits.disk_max}, by disks of their own`);
};

const BY = { btrfs: "by simple quotas", tmpfs: "the size of a tmpfs" } as const;

/** A kernel may have a loop device to give that has no node where we are, as in a container. */
const CAN_MAKE_DISKS = `
PATH=$PATH:/usr/sbin:/sbin
mkfs.ext4 -V 2>/dev/null || { echo no mkfs.ext4 >&2; exit 1; }
device=$(losetup --find) || exit 1
[ -b "$device" ] || { echo "no loop device: $device" >&2; exit 1; }
`;

/** Room for jobs. */
export const disk: Check = async (host, { store }) => {
  const topic = "free disk";
  const argv = ["df", "--block-size=1", "--output=avail,size", store] as const;
  const { code, stdout } = await host.processes.capture(argv);
  const [free = 0, size = 1] = (stdout.split("\n")[1] ?? "").trim().split(/\s+/).map(Number);
  if (code !== 0) return [];
  const found = `${asSize(free)} of ${asSize(size)}`;
  return free < size * LEAST_FREE
    ? weak(
      topic,
      found,
      "Remove what nobody needs: nspawn-runner gc, chroot-remove; or a larger disk",
    )
    : ok(topic, found);
};

/** What jobs can name. */
export const chroots: Check = async (host, config) => {
  const entries = await listChroots(host, config);
  const ready = entries.filter(({ state }) => state === "ready").map(({ name }) => name);
  const list = ready.length === 0
    ? broken("chroots", "none is ready", "nspawn-runner chroot-create bookworm")
    : ok("chroots", ready.join(", "));
  const wrong: Finding[] = [];
  for (const { name } of entries) {
    try {
      await findDefinition(host, config, name);
    } catch (error) {
      wrong.push(
        broken(
          `definition of ${name}`,
          messageOf(error),
          "Jobs with that image fail until it is mended",
        ),
      );
    }
  }
  return [list, ...wrong];
};
