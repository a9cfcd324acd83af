/** Mounts of ours. */

import { dirname } from "@std/path/posix";
import { hostFailure } from "../failure.ts";
import type { Host } from "../host/host.ts";

/**
 * Mounts something.
 *
 * @param host The outside.
 * @param words Those of mount(8).
 * @param what What and where, for a message.
 * @throws {Failure} of the host.
 */
export async function mount(host: Host, words: readonly string[], what: string): Promise<void> {
  const { code, stderr } = await host.processes.capture(["mount", ...words]);
  if (code !== 0) throw hostFailure(`Cannot mount ${what}: ${stderr.trim()}`);
}

/**
 * Unmounts all that is mounted on a folder: more than once, where a prepare was killed and repeated. Fine
 * where there is nothing.
 *
 * @param host The outside.
 * @param folder The folder.
 * @throws {Failure} of the host.
 */
export async function unmountAll(host: Host, folder: string): Promise<void> {
  while (await isMountPoint(host, folder)) {
    const { code, stderr } = await host.processes.capture(["umount", folder]);
    if (code !== 0) throw hostFailure(`Cannot unmount ${folder}: ${stderr.trim()}`);
  }
}

/**
 * Moves what is mounted on a folder to another one. Fine when that was done.
 *
 * @param host The outside.
 * @param from Where it is mounted.
 * @param to Where it is to be.
 * @throws {Failure} of the host.
 */
export async function moveMount(host: Host, from: string, to: string): Promise<void> {
  if (!await isMountPoint(host, from)) return;
  await host.files.makeDirectory(to);
  if (!await isMountPoint(host, to)) await mount(host, ["--bind", from, to], `${from} on ${to}`);
  await unmountAll(host, from);
}

/**
 * Whether something is mounted on a folder: another file system than the folder above is on another device.
 *
 * @param host The outside.
 * @param folder The folder.
 * @returns False also where it is not there.
 */
export async function isMountPoint(host: Host, folder: string): Promise<boolean> {
  const own = await host.files.stat(folder);
  return own !== null && own.dev !== (await host.files.stat(dirname(folder)))?.dev;
}
