/** Checks of the store: its owner, other hosts that use it, storage and chroots. */

import type { ChrootEntry } from "../chroots/find/list.ts";
import type { Config } from "../config/settings.ts";
import { messageOf } from "../failure.ts";
import type { Host } from "../host/host.ts";
import { isSubvolume } from "../linux/btrfs.ts";
import { fileSystemOf, kernelFacts } from "../linux/proc.ts";
import { leasesOfHost, machineId, otherHostFailure } from "../machines/record/lease.ts";
import { treeAsLower } from "../machines/record/lower.ts";
import { foreignStore } from "../machines/record/store_owner.ts";
import { chooseStorage } from "../machines/storage/choose.ts";
import { broken, type Check, ok, weak } from "./finding.ts";

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

/** Whether another host uses the store. */
export const otherHosts: Check = async (host, { store }) => {
  const failure = await foreignStore(host, store) ??
    otherHostFailure(await leasesOfHost(host, store), await machineId(host));
  return failure === null ? [] : broken("other hosts", failure.message, `${failure.hint}`);
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
export async function expectedStorage(host: Host, config: Config, chroots: readonly ChrootEntry[]) {
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
    base: { path: chroot, lower: treeAsLower(chroot) },
    isLimited,
  });
  const onBtrfs = fileSystemOf(facts.mounts, chroot) === "btrfs";
  return { kind: chosen.kind, canSnapshot: onBtrfs && await isSubvolume(host, chroot) };
}

/** Which chroots jobs can use, and which definitions are invalid. */
export const chroots: Check = (_host, { pull }, entries) => {
  const ready = entries.filter(({ state }) => state === "ready").map(({ name }) => name);
  const list = ready.length > 0
    ? ok("chroots", ready.join(", "))
    : pull.length > 0
    ? ok("chroots", "none, but jobs may pull images")
    : broken("chroots", "none is ready", "nspawn-runner chroot-create bookworm");
  const invalid = entries.filter(({ state }) => state === "invalid").map(({ name, reason }) =>
    broken(
      `definition of ${name}`,
      `${reason}`,
      "Correct it: until then, jobs with that image fail",
    )
  );
  return Promise.resolve([list, ...invalid]);
};
