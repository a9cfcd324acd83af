/** What of the host an administrator lets machines see. */

import { refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import type { Bind } from "../record/caches.ts";
import { RUNTIME } from "../../runtime_folder.ts";

/**
 * The binds of a machine, checked anew at each start: what a path leads to may change.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @param wanted `HOST:MACHINE`, and perhaps `:ro`, as the configuration has them.
 * @returns The binds.
 * @throws {Failure} where one is not there, or would show the store or what holds it.
 */
export async function adminBinds(
  host: Host,
  store: string,
  wanted: readonly string[],
): Promise<Bind[]> {
  const binds: Bind[] = [];
  for (const bind of wanted) {
    const [from = "", to = "", mode] = bind.split(":");
    const real = await host.files.real(from);
    const stat = real === null ? null : await host.files.stat(real);
    if (real === null || stat === null) throw unusable(bind, `there is no ${from} on this host`);
    if (stat.kind === "other") throw unusable(bind, "it is neither a file nor a folder");
    for (const own of [await host.files.real(store) ?? store, RUNTIME]) {
      if (holds(real, own) || holds(own, real)) throw unusable(bind, `${own} is the runner's own`);
    }
    binds.push({ from: real, to, readOnly: mode === "ro", sameOwners: true });
  }
  return binds;
}

function holds(folder: string, path: string): boolean {
  return path === folder || path.startsWith(folder === "/" ? "/" : `${folder}/`);
}

function unusable(bind: string, reason: string): Error {
  return refused(
    `Cannot bind ${bind}: ${reason}`,
    "binds in the configuration, or in the definition",
  );
}
