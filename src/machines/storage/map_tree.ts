/** Tries whether systemd-nspawn can map the owners of a tree that a machine changes. */

import { basename, join } from "@std/path/posix";
import { hostFailure } from "../../failure.ts";
import type { Argv, Host } from "../../host/host.ts";
import { endCgroup, inCgroup } from "../../linux/cgroups.ts";
import { commonNspawnArgv, nspawnVersion } from "../../linux/nspawn.ts";
import { isSystemdHost } from "../../linux/systemd.ts";
import { KEEP_TIME_ZONE } from "../../linux/time_zone.ts";
import { probe } from "../record/host_probe.ts";
import { ID_AREA, idCount } from "../record/ids.ts";
import { treeAsLower } from "../record/lower.ts";
import { tree } from "./tree.ts";

/** nspawn from this version on maps the owners of a root itself. */
const MIN_NSPAWN_VERSION = 250;

/** Where {@linkcode canMapTree} tries it. */
export interface MappingProbe {
  readonly store: string;
  /** A machine's own folder in the store, which does not exist yet. */
  readonly folder: string;
  /** The cgroups of that machine; none where systemd makes them. */
  readonly cgroups: readonly string[];
  /** The id of this boot. */
  readonly boot: string;
}

/**
 * Returns whether systemd-nspawn can map the owners of a tree in the store, so that a machine with user ids of its own
 * changes the tree and leaves true owners. Unlike an idmapped mount by mount(8), this does not need util-linux 2.39.
 * The answer is kept until the host reboots.
 */
export async function canMapTree(
  host: Host,
  { store, folder, cgroups, boot }: MappingProbe,
  interrupt?: AbortSignal,
): Promise<boolean> {
  const attempt = async () =>
    await nspawnVersion(host) >= MIN_NSPAWN_VERSION && await tryMapping(host, folder, cgroups);
  return await probe(host, { topic: "tree", path: store, store, boot, interrupt }, attempt);
}

/**
 * Starts systemd-nspawn on an empty tree. It fails for lack of a program to run, but only after it has made folders in
 * the tree; where it cannot map their owners, it fails before.
 */
async function tryMapping(
  host: Host,
  folder: string,
  cgroups: readonly string[],
): Promise<boolean> {
  const root = join(folder, "root");
  const [ids] = ID_AREA;
  try {
    await host.files.makeDirectory(join(root, "usr"), 0o755);
    const argv: Argv = [
      ...commonNspawnArgv({
        machine: basename(folder),
        registration: await isSystemdHost(host) ? "scope" : "none",
        timezone: KEEP_TIME_ZONE,
      }),
      ...tree.root(treeAsLower(root), folder, ids).options,
      `--private-users=${ids}:${idCount(ids)}`,
      "--resolv-conf=off",
      "--link-journal=no",
      "--as-pid2",
      "--",
      "/run/none",
    ];
    const [cgroup] = cgroups;
    const words = cgroup === undefined ? argv : inCgroup(cgroup, argv);
    const { code, stderr } = await host.processes.capture(words);
    if ((await host.files.stat(join(root, "proc")))?.uid === 0) return true;
    if (code <= 128 && CANNOT_MAP.test(stderr)) return false;
    const reason = stderr.trim().split("\n")[0] || `systemd-nspawn ended with ${code}`;
    throw hostFailure(`Cannot find out what this host can do: ${reason}`, "Try again");
  } finally {
    await endCgroup(host, cgroups, 0);
    await host.files.removeTree(folder);
  }
}

/** nspawn's own message, and the errors of mount_setattr(2) where the kernel or the file system cannot map owners. */
const CANNOT_MAP = /ID mapped mounts|not supported|not permitted|Invalid argument/;
