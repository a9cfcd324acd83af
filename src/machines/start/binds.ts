/** Checks the files and folders of the host that the configuration binds into machines. */

import { dirname, normalize } from "@std/path/posix";
import { refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import type { Bind } from "../record/caches.ts";
import { RUNTIME_FOLDER } from "../../runtime_folder.ts";

/**
 * Returns the configured binds of a machine. They are checked at each start, since the target of a path may change.
 *
 * @param wanted `HOST:MACHINE`, optionally with `:ro`.
 * @throws {Failure} where a path does not exist, or the bind would expose the store.
 */
export async function adminBinds(
  host: Host,
  store: string,
  wanted: readonly string[],
): Promise<Bind[]> {
  const binds: Bind[] = [];
  const roots = await writableFolders(host, wanted);
  for (const bind of wanted) {
    const [from = "", to = "", mode] = bind.split(":");
    const real = await host.files.real(from);
    const stat = real === null ? null : await host.files.stat(real);
    if (real === null || stat === null) throw unusable(bind, `there is no ${from} on this host`);
    if (stat.kind === "other") throw unusable(bind, "it is neither a file nor a folder");
    for (const own of [await host.files.real(store) ?? store, RUNTIME_FOLDER]) {
      if (contains(real, own) || contains(own, real)) {
        throw unusable(bind, `${own} is the runner's own`);
      }
    }
    const parents = [dirname(real), ...await realParents(host, from)];
    const root = roots.find((root) => parents.some((parent) => contains(root, parent)));
    if (root !== undefined) {
      throw unusable(bind, `jobs can replace it, since they write to ${root}`);
    }
    binds.push({ from: real, to, readOnly: mode === "ro", keepsDiskOwners: true });
  }
  return binds;
}

/** Returns the folders that machines write to: what lies below one may be a job's link to any file of the host. */
async function writableFolders(host: Host, wanted: readonly string[]): Promise<string[]> {
  const folders: string[] = [];
  for (const bind of wanted) {
    const [from = "", , mode] = bind.split(":");
    if (mode !== "ro") folders.push(await host.files.real(from) ?? from);
  }
  return folders;
}

/** Returns the folders that a path leads through. */
async function realParents(host: Host, path: string): Promise<string[]> {
  const parents: string[] = [];
  for (
    let parent = dirname(normalize(path));
    parent !== "/" && parent !== ".";
    parent = dirname(parent)
  ) {
    parents.push(await host.files.real(parent) ?? parent);
  }
  return parents;
}

function contains(folder: string, path: string): boolean {
  return path === folder || path.startsWith(folder === "/" ? "/" : `${folder}/`);
}

function unusable(bind: string, reason: string): Error {
  return refused(
    `Cannot bind ${bind}: ${reason}`,
    "Change binds in the configuration, or in the definition",
  );
}
