/** Checks the files and folders of the host that the configuration binds into machines. */

import { dirname } from "@std/path/posix";
import type { Config } from "../../config/settings.ts";
import { refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { folderFinder, readMounts } from "../../linux/lookup.ts";
import type { MountedFolder } from "../../linux/proc.ts";
import type { Bind } from "../record/caches.ts";
import { RUNTIME_FOLDER } from "../../runtime_folder.ts";

/** Paths that decide which binds are usable. */
export interface BindRules {
  /** The folders that machines of any chroot write to: below one, a job may have left a link to any file of the host. */
  readonly writable: readonly string[];
  /** Playbooks, whose variables are settings; Ansible runs what lies beside them. */
  readonly playbooks: readonly string[];
  /** Symlinks to definitions and playbooks. */
  readonly links: readonly string[];
}

/**
 * Returns the configured binds of a machine. They are checked at each start, since the target of a path may change.
 *
 * @param wanted `HOST:MACHINE`, optionally with `:ro`.
 * @throws {Failure} where a path does not exist, or the bind would expose the store or let jobs write the configuration,
 *   definitions or playbooks.
 */
export async function adminBinds(
  host: Host,
  { store, definitions, file }: Pick<Config, "store" | "definitions" | "file">,
  wanted: readonly string[],
  { writable, playbooks, links }: BindRules,
): Promise<Bind[]> {
  const binds = await Promise.all(wanted.map((bind) => existingBind(host, bind)));
  const mounts = await readMounts(host);
  const own = [store, RUNTIME_FOLDER];
  await refuseExposed(host, mounts, wanted, own, "is the runner's own");
  // Whoever writes one of them decides what is bound next.
  const beside = playbooks.map((path) => dirname(path));
  const settings = [definitions, file, ...links, ...playbooks, ...beside];
  const written = wanted.filter((_, index) => !binds[index]!.readOnly);
  await refuseExposed(host, mounts, written, settings, "holds settings of machines");
  const finder = await folderFinder(host, [...own, ...writable], mounts);
  for (const bind of wanted) {
    const replaceable = await finder.onPath(sourceOf(bind));
    if (replaceable === undefined) continue;
    throw unusable(bind, `jobs can replace it, since they write to ${replaceable}`);
  }
  return binds;
}

async function existingBind(host: Host, bind: string): Promise<Bind> {
  const [from = "", to = "", mode] = bind.split(":");
  const real = await host.files.real(from);
  const stat = real === null ? null : await host.files.stat(real);
  if (real === null || stat === null) throw unusable(bind, `there is no ${from} on this host`);
  if (stat.kind === "other") throw unusable(bind, "it is neither a file nor a folder");
  return { from: real, to, readOnly: mode === "ro", keepsDiskOwners: true };
}

function sourceOf(bind: string): string {
  const [from = ""] = bind.split(":");
  return from;
}

/** Refuses binds that show one of some paths, lie in it, or hold a symlink on the way to it. */
async function refuseExposed(
  host: Host,
  mounts: readonly MountedFolder[],
  binds: readonly string[],
  paths: readonly string[],
  reason: string,
): Promise<void> {
  if (binds.length === 0) return;
  const finder = await folderFinder(host, binds.map(sourceOf), mounts);
  for (const path of paths) {
    const from = await finder.onPathOrInside(path);
    const bind = binds.find((bind) => sourceOf(bind) === from);
    if (bind !== undefined) throw unusable(bind, `${path} ${reason}`);
  }
}

function unusable(bind: string, reason: string): Error {
  return refused(
    `Cannot bind ${bind}: ${reason}`,
    "Change binds in the configuration, or in the definition",
  );
}
