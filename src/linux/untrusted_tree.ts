/** Trees that jobs wrote. */

import { hostFailure } from "../failure.ts";
import type { Host } from "../host/host.ts";

/**
 * Removes a tree however deep it is, with files that were made immutable; does nothing where it does not exist.
 * rm(1) needs neither memory nor an open file for each level.
 *
 * @throws {Failure} of the host where a file cannot be removed.
 */
export async function removeUntrustedTree(host: Host, path: string): Promise<void> {
  if (await host.files.lstat(path) === null) return;
  const remove = () =>
    host.processes.capture(["rm", "--recursive", "--force", "--one-file-system", "--", path]);
  if ((await remove()).code === 0) return;
  await host.processes.capture(["chattr", "-R", "-f", "-i", "-a", "--", path]);
  const { code, stderr } = await remove();
  if (code !== 0) throw hostFailure(`Cannot remove ${path}: ${stderr.trim().split("\n")[0]}`);
}
