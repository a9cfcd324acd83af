/** Checks whether machines can have user ids of their own. */

import type { Host } from "../host/host.ts";
import { isSubvolume } from "../linux/btrfs.ts";
import { kernelFacts } from "../linux/proc.ts";
import { canMapOwners, ID_RANGE, IDS_PER_MACHINE } from "../machines/record/ids.ts";
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
      `${owner} has ids that machines use: ${ID_RANGE[0]} to ${ID_RANGE[1] - 1}`,
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

/** Returns the user or group, with its source, that has ids of machines: subuid(5), subgid(5), getent(1). */
async function ownerOfIds(host: Host): Promise<string | null> {
  for (const file of ["/etc/subuid", "/etc/subgid"]) {
    const lines = (await host.files.read(file).catch(() => null) ?? "").split("\n");
    const line = lines.find((line) => {
      const [, first = "", count = ""] = line.split(":");
      return Number(first) < ID_RANGE[1] && Number(first) + Number(count) > ID_RANGE[0];
    });
    if (line !== undefined) return `${line.split(":")[0]} in ${file}`;
  }
  // A directory such as LDAP may have users there; of each machine's range the first ids are asked for.
  const ids = Array.from({ length: 64 }, (_, slot) => `${ID_RANGE[0] + slot * IDS_PER_MACHINE}`);
  for (const database of ["passwd", "group"]) {
    const asked = await host.processes.capture(["getent", database, ...ids]).catch(() => null);
    if (asked?.stdout) return `${asked.stdout.split(":")[0]} in ${database} of nsswitch.conf`;
  }
  return null;
}
