/** The systemd of a machine's user, `systemctl --user`, which runs where the image has what it needs. */

import { basename, dirname, join } from "@std/path/posix";
import type { Host } from "../../host/host.ts";
import { isBelow } from "../../linux/proc.ts";
import type { Bind } from "../record/caches.ts";
import type { Lease } from "../record/lease.ts";
import type { MachinePaths } from "../record/paths.ts";

/** The systemd of a user. */
export interface UserManager {
  /** The user's name in the machine. */
  readonly name: string;
  /** The variables by which scripts find it, `NAME=VALUE`. */
  readonly environment: readonly string[];
}

/**
 * Returns the systemd of the user who runs a machine's scripts; null where the machine has none, as for root, who
 * uses the machine's own.
 *
 * @param tree The chroot's tree.
 */
export async function userManagerFor(
  host: Host,
  tree: string,
  { booted, user }: Pick<Lease, "booted" | "user">,
): Promise<UserManager | null> {
  // An image may name a user by a number that its passwd(5) has not.
  if (!booted || user === null || user.name === `${user.uid}`) return null;
  if (!await canRunUserManager(host, tree)) return null;
  const folder = `/run/user/${user.uid}`;
  return {
    name: user.name,
    environment: [
      `XDG_RUNTIME_DIR=${folder}`,
      `DBUS_SESSION_BUS_ADDRESS=unix:path=${folder}/bus`,
    ],
  };
}

/**
 * Writes the configuration by which a machine's systemd starts the one of its user at boot, and returns its bind.
 *
 * The user lingers, loginctl(1): a script is no login session. The machine creates the record of it itself, since
 * logind fails where nspawn creates the record's folder, which nspawn 252 gives to the host's root.
 */
export async function writeUserManager(
  host: Host,
  { stage }: MachinePaths,
  { name }: UserManager,
): Promise<Bind> {
  const from = join(stage, "user-manager");
  await host.files.write(from, `f /var/lib/systemd/linger/${name}\n`, 0o644);
  const to = "/usr/lib/tmpfiles.d/nspawn-runner.conf"; // tmpfiles.d(5)
  return { from, to, readOnly: true, keepsDiskOwners: false };
}

/** The last one is the package dbus-user-session: without it, users gain little for the time that the boot takes longer. */
const UNITS = ["system/systemd-logind.service", "system/user@.service", "user/dbus.socket"];

/** Returns whether a tree has the units of a user's systemd and of its bus, and none is masked. */
async function canRunUserManager(host: Host, tree: string): Promise<boolean> {
  const root = await host.files.real(tree) ?? tree;
  const usable = await Promise.all(UNITS.map((unit) => hasUnit(host, root, unit)));
  return usable.every((one) => one);
}

async function hasUnit(host: Host, root: string, unit: string): Promise<boolean> {
  const has = async (folder: string) => {
    const path = await pathInTree(host, root, join(folder, "systemd", unit));
    return path !== null && await host.files.lstat(path) !== null;
  };
  const override = await pathInTree(host, root, join("etc/systemd", unit));
  return (await has("usr/lib") || await has("lib")) &&
    (override === null || await host.files.readLink(override) !== "/dev/null");
}

/**
 * Returns the path on the host of a file of a tree; null where its folder does not exist or is a link out of the tree,
 * which could lead to a folder of the host.
 *
 * @param root The tree, without symlinks.
 */
async function pathInTree(host: Host, root: string, file: string): Promise<string | null> {
  const folder = await host.files.real(join(root, dirname(file)));
  return folder !== null && isBelow(root, folder) ? join(folder, basename(file)) : null;
}
