/** Gives the helper root of a started machine what it shares with the machine. */

import { dirname, join } from "@std/path/posix";
import { hostFailure } from "../../failure.ts";
import type { Argv, Host } from "../../host/host.ts";
import type { ChosenNetwork } from "../network/choose.ts";
import type { Bind } from "../record/caches.ts";
import { INSIDE } from "../record/channel.ts";
import { HELPER_HOME, HELPER_INSIDE, RUNNER, RUNNER_FOLDER } from "../record/helper_root.ts";
import type { Leader } from "../record/lease.ts";
import type { MachinePaths } from "../record/paths.ts";

const RESOLV_CONF = "/etc/resolv.conf";

/** Folders with all that is mounted in them. */
const SHARED_FOLDERS = ["proc", "sys", "dev", "tmp", "builds", "cache"];

/** Bytes and files for the home of the stages; they count as memory of the machine. */
const HOME_OPTIONS = "size=64m,nr_inodes=4096,mode=0711,nosuid,nodev";

/**
 * Returns the binds of the files by which programs in the helper root find hosts. They come from the host, since the
 * machine's own root may have links in their places.
 *
 * @param hosts The machine's hosts(5) file on the host.
 */
export async function networkFilesOfHelper(
  host: Host,
  hosts: string,
  { kind }: Pick<ChosenNetwork, "kind">,
): Promise<Bind[]> {
  const shared = { readOnly: true, keepsDiskOwners: false };
  const bind = (from: string, to: string) => ({ from, to: HELPER_INSIDE + to, ...shared });
  const hasServers = kind !== "none" && await host.files.stat(RESOLV_CONF) !== null;
  return [bind(hosts, "/etc/hosts"), ...(hasServers ? [bind(RESOLV_CONF, RESOLV_CONF)] : [])];
}

/**
 * Mounts the machine's folders in its helper root, before any script runs.
 *
 * One mount(8) of the host does it from outside, since root of a plain machine may not mount. It keeps the host's root and
 * changes only its mount namespace. All sources are relative to the machine's root, and the kernel refuses those that a
 * link of an image leads to outside of that namespace: open_tree(2), EINVAL.
 *
 * @param ids The first of the machine's own ids; null where it shares the host's.
 * @throws {Failure} `host` where it fails.
 */
export async function mountInHelper(
  host: Host,
  { stage }: MachinePaths,
  { pid }: Leader,
  ids: number | null,
): Promise<void> {
  const table = join(stage, "helper.fstab");
  await host.files.write(table, tableOf(ids), 0o444);
  const argv: Argv = [
    ...[
      "nsenter",
      `--mount=/proc/${pid}/ns/mnt`,
      "--root=/",
      `--wd=/proc/${pid}/root`,
      "--",
    ] as const,
    ...["mount", "--no-canonicalize", "--no-mtab", "--all", "--fstab", table],
  ];
  const { code, stderr } = await host.processes.capture(argv);
  if (code === 0) return;
  throw hostFailure(
    `Cannot mount the machine's folders in its helper root: ${stderr.trim().split("\n")[0]}`,
    "A chroot must have no links in place of /builds, /cache and /tmp",
  );
}

/** Returns a table as in fstab(5). */
function tableOf(ids: number | null): string {
  const root = HELPER_INSIDE.slice(1);
  const owner = ids === null ? "" : `,uid=${ids},gid=${ids}`;
  const [homes = ""] = HELPER_HOME.split("/");
  const files = [
    [`${INSIDE.slice(1)}/passwd`, "etc/passwd"],
    [`${INSIDE.slice(1)}/group`, "etc/group"],
  ];
  const lines = [
    ...SHARED_FOLDERS.map((path) => `${path} ${root}/${path} none rbind`),
    `${INSIDE.slice(1)}/${dirname(RUNNER)} ${root}/${RUNNER_FOLDER} none rbind`,
    ...files.map(([from, to]) => `${from} ${root}/${to} none bind`),
    `helper ${root}/${homes} tmpfs ${HOME_OPTIONS}${owner}`,
  ];
  return lines.map((line) => `${line} 0 0\n`).join("");
}
