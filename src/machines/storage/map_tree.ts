/** Tries whether systemd-nspawn can map the owners of a tree that a machine changes. */

import { basename, join } from "@std/path/posix";
import type { Argv, Host } from "../../host/host.ts";
import { endCgroup, inCgroup } from "../../linux/cgroups.ts";
import { commonNspawnArgv, nspawnVersion } from "../../linux/nspawn.ts";
import { isSystemdHost } from "../../linux/systemd.ts";
import { KEEP_TIME_ZONE } from "../../linux/time_zone.ts";
import { probe, probeResult } from "../record/host_probe.ts";
import { ID_RANGE, IDS_PER_MACHINE } from "../record/ids.ts";
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
}

/**
 * Returns whether systemd-nspawn can map the owners of a tree in the store, so that a machine with user ids of its own
 * changes the tree and leaves true owners. Unlike an idmapped mount by mount(8), this does not need util-linux 2.39.
 * The answer is kept until the host reboots.
 */
export async function canMapTree(
  host: Host,
  { store, folder, cgroups }: MappingProbe,
  interrupt?: AbortSignal,
): Promise<boolean> {
  const attempt = async () =>
    await nspawnVersion(host) >= MIN_NSPAWN_VERSION && await tryMapping(host, folder, cgroups);
  return await probe(host, "tree", store, attempt, interrupt);
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
  try {
    await host.files.makeDirectory(join(root, "usr"), 0o755);
    const argv: Argv = [
      ...commonNspawnArgv({
        machine: basename(folder),
        registration: await isSystemdHost(host) ? "scope" : "none",
        timezone: KEEP_TIME_ZONE,
      }),
      ...tree.root(root, folder, ID_RANGE[0]).options,
      `--private-users=${ID_RANGE[0]}:${IDS_PER_MACHINE}`,
      "--settings=no",
      "--resolv-conf=off",
      "--link-journal=no",
      "--as-pid2",
      "--",
      "/run/none",
    ];
    const [cgroup] = cgroups;
    const { code } = await host.processes.capture(
      cgroup === undefined ? argv : inCgroup(cgroup, argv),
    );
    const owner = (await host.files.stat(join(root, "proc")))?.uid;
    return probeResult({ code: code > 128 ? code : 0 }, owner === 0);
  } finally {
    await endCgroup(host, cgroups, 0);
    await host.files.removeTree(folder);
  }
}
