/** Whether machines can have user ids of their own. */

import { listChroots } from "../chroots/find/list.ts";
import type { Host } from "../host/host.ts";
import { isSubvolume } from "../linux/btrfs.ts";
import { canMapOwners, RANGE } from "../machines/record/ids.ts";
import { canShift } from "../machines/storage/shifted/shift.ts";
import { whileTaking } from "../machines/record/lock.ts";
import { type Check, ok, weak } from "./finding.ts";

const TOPIC = "user namespaces";

/** Whether the owners of a chroot's files can be mapped, and nobody else has the ids. */
export const users: Check = async (host, config) => {
  if (config.private_users === "off") {
    return weak(
      TOPIC,
      'private_users is "off"',
      "Root of a machine is root of the host: leave it out",
    );
  }
  const taken = await takenBy(host);
  if (taken !== null) {
    return weak(
      TOPIC,
      `${taken} has ids of machines, ${RANGE[0]} to ${RANGE[1] - 1}`,
      "Give it others",
    );
  }
  const [ready] = (await listChroots(host, config)).filter(({ state }) => state === "ready");
  if (ready === undefined) return [];
  // nspawn maps a snapshot by itself.
  const snapshots = ["auto", "btrfs"].includes(config.storage);
  if (snapshots && await isSubvolume(host, `${await host.files.real(ready.path)}`)) {
    return ok(TOPIC, "by nspawn, on btrfs");
  }
  if (await canMapOwners(host, ready.path)) return ok(TOPIC, "by mount(8)");
  const { store } = config;
  // Another row says what is wrong with nspawn.
  if (await whileTaking(host, () => canShift(host, store)).catch(() => false)) {
    return ok(TOPIC, "by a shifted layer: util-linux 2.39 would need none");
  }
  return weak(
    TOPIC,
    "mount(8) or the file system maps no owners",
    "util-linux 2.39, or a store on btrfs",
  );
};

/** The first line of subuid(5) or subgid(5) that overlaps: `NAME:FIRST:COUNT`. */
async function takenBy(host: Host): Promise<string | null> {
  for (const file of ["/etc/subuid", "/etc/subgid"]) {
    const lines = (await host.files.read(file).catch(() => null) ?? "").split("\n");
    const line = lines.find((line) => {
      const [, first = "", count = ""] = line.split(":");
      return Number(first) < RANGE[1] && Number(first) + Number(count) > RANGE[0];
    });
    if (line !== undefined) return `${line.split(":")[0]} in ${file}`;
  }
  return null;
}
