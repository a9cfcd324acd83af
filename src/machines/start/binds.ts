/** Checks the files and folders of the host that the configuration binds into machines. */

import type { Config } from "../../config/settings.ts";
import { refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { folderFinder, isBelow } from "../../linux/lookup.ts";
import type { Bind } from "../record/caches.ts";
import { RUNTIME_FOLDER } from "../../runtime_folder.ts";

/**
 * Returns the configured binds of a machine. They are checked at each start, since the target of a path may change.
 *
 * @param wanted `HOST:MACHINE`, optionally with `:ro`.
 * @param writable The folders that machines of any chroot write to: below one, a job may have left a link to any file
 *   of the host.
 * @throws {Failure} where a path does not exist, or the bind would expose the store or let jobs write definitions.
 */
export async function adminBinds(
  host: Host,
  { store, definitions }: Pick<Config, "store" | "definitions">,
  wanted: readonly string[],
  writable: readonly string[],
): Promise<Bind[]> {
  const own = [await host.files.real(store) ?? store, RUNTIME_FOLDER];
  // Whoever writes definitions decides what is bound next.
  const ownUnlessRead = [...own, await host.files.real(definitions) ?? definitions];
  const finder = await folderFinder(host, [...own, ...writable]);
  const binds: Bind[] = [];
  for (const bind of wanted) {
    const [from = "", to = "", mode] = bind.split(":");
    const real = await host.files.real(from);
    const stat = real === null ? null : await host.files.stat(real);
    if (real === null || stat === null) throw unusable(bind, `there is no ${from} on this host`);
    if (stat.kind === "other") throw unusable(bind, "it is neither a file nor a folder");
    const exposed = (mode === "ro" ? own : ownUnlessRead).find((folder) =>
      isBelow(real, folder) || isBelow(folder, real)
    );
    if (exposed !== undefined) throw unusable(bind, `${exposed} is the runner's own`);
    const replaceable = await finder.onPath(from);
    if (replaceable !== undefined) {
      throw unusable(bind, `jobs can replace it, since they write to ${replaceable}`);
    }
    binds.push({ from: real, to, readOnly: mode === "ro", keepsDiskOwners: true });
  }
  return binds;
}

function unusable(bind: string, reason: string): Error {
  return refused(
    `Cannot bind ${bind}: ${reason}`,
    "Change binds in the configuration, or in the definition",
  );
}
