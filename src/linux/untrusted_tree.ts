/** Trees that strangers wrote. */

import { hostFailure } from "../failure.ts";
import type { Host } from "../host/host.ts";

/**
 * Removes a tree however deep a stranger made it, and whatever he locked in it: rm(1) needs no memory and no
 * open file for each step down, and a file may have been made immutable.
 *
 * @param host The outside.
 * @param path The tree; fine when it is not there.
 * @throws {Failure} of the host when something stays.
 */
export async function removeStrangersTree(host: Host, path: string): Promise<void> {
  if (await host.files.lstat(path) === null) return;
  const remove = () =>
    host.processes.capture(["rm", "--recursive", "--force", "--one-file-system", "--", path]);
  if ((await remove()).code === 0) return;
  await host.processes.capture(["chattr", "-R", "-f", "-i", "-a", "--", path]);
  const { code, stderr } = await remove();
  if (code !== 0) throw hostFailure(`Cannot remove ${path}: ${stderr.trim().split("\n")[0]}`);
}
