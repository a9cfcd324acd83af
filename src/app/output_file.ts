/** The file that an option names for a command's output. */

import { dirname } from "@std/path/posix";
import { refused } from "../failure.ts";
import type { Host } from "../host/host.ts";

/**
 * Writes a file, or replaces it in one step and keeps the permissions of one's own.
 *
 * @param mode The permissions of a new file, or instead of another user's.
 * @throws {Failure} where something else than a file has the path, such as a device, or its folder is missing.
 */
export async function writeOutput(
  host: Host,
  path: string,
  text: string,
  mode: number,
): Promise<void> {
  const existing = await host.files.lstat(path);
  if (existing !== null && existing.kind !== "file") {
    throw refused(`Cannot write ${path}: it is no regular file`, "Name another file");
  }
  const folder = dirname(path);
  if ((await host.files.stat(folder))?.kind !== "directory") {
    throw refused(`Cannot write ${path}: no such folder`, `Create it: mkdir -p ${folder}`);
  }
  const isOwn = existing?.uid === host.uid(); // others may have put one there that they can write
  await host.files.replace(path, text, isOwn ? existing.mode & 0o777 : mode);
}
