/** Checks whether machines can have user ids of their own. */

import type { Host } from "../host/host.ts";
import { isSubvolume } from "../linux/btrfs.ts";
import { kernelFacts } from "../linux/proc.ts";
import {
  canMapOwners,
  firstIds,
  freeIds,
  ID_AREA,
  idsOfUsers,
  overlapping,
} from "../machines/record/ids.ts";
import { canShift } from "../machines/storage/shifted/shift.ts";
import { broken, type Check, ok, weak } from "./finding.ts";

const TOPIC = "user namespaces";

/** Whether the owners of a chroot's files can be mapped to the ids of machines, and those ids are free. */
export const userNamespaces: Check = async (host, config, chroots) => {
  if (config.private_users === "off") {
    return weak(
      TOPIC,
      'private_users is "off"',
      "Remove private_users from the configuration: root of a machine is root of the host",
    );
  }
  const owner = await ownerOfIds(host);
  if (owner !== null) {
    return weak(
      TOPIC,
      `${owner} has ids that machines use: ${ID_AREA[0]} to ${ID_AREA[1] - 1}`,
      "Give that user or group other ids, such as those from 100000",
    );
  }
  const ready = chroots.find(({ state }) => state === "ready");
  if (ready === undefined) return [];
  // systemd-nspawn itself maps the owners in a btrfs snapshot.
  const snapshots = ["auto", "btrfs"].includes(config.storage);
  if (snapshots && await isSubvolume(host, `${await host.files.real(ready.path)}`)) {
    return ok(TOPIC, "by nspawn, on btrfs");
  }
  const { boot } = await kernelFacts(host);
  if (await canMapOwners(host, { store: config.store, chroot: ready.path }, boot)) {
    return ok(TOPIC, "by mount(8)");
  }
  // A missing nspawn is the finding of another check.
  if (await canShift(host, config.store, boot).catch(() => false)) {
    return ok(TOPIC, "by a shifted layer; not needed with util-linux 2.39 or newer");
  }
  const lacking = config.private_users === "required" ? broken : weak;
  return lacking(
    TOPIC,
    "neither mount(8) nor the file system can map owners",
    "Install util-linux 2.39 or newer, or put the store on btrfs",
  );
};

/** Returns the user or group, with its source, that has ids which a machine would get: getent(1) for directories. */
async function ownerOfIds(host: Host): Promise<string | null> {
  const users = await idsOfUsers(host);
  const owned = overlapping(freeIds({ leases: [], users }), users);
  if (owned !== undefined) return `${owned.owner} in ${owned.file}`;
  // A directory such as LDAP may have users there; of each machine's range the first ids are asked for.
  const ids = [...firstIds().take(64)].map(String);
  for (const database of ["passwd", "group"]) {
    const asked = await host.processes.capture(["getent", database, ...ids]).catch(() => null);
    if (asked?.stdout) return `${asked.stdout.split(":")[0]} in ${database} of nsswitch.conf`;
  }
  return null;
}
