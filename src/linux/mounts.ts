/** Mounting, unmounting and moving of file systems. */

import { dirname } from "@std/path/posix";
import { hostFailure } from "../failure.ts";
import type { Argv, Host } from "../host/host.ts";

/**
 * A step before a command: a part of a program for sh, under `-eu`, which takes its own arguments away by `shift`. It has no
 * `${…}`, which systemd-run(1) would expand.
 */
export interface Step {
  readonly script: string;
  readonly args: readonly string[];
}

/**
 * Returns a command line that goes through steps, and then becomes a command, in a mount namespace of its own. Its mounts
 * are invisible outside; what the host unmounts is unmounted there, too, so that no disk of the host stays busy.
 */
export function inOwnMounts(steps: readonly Step[], argv: Argv): Argv {
  const program = [...steps.map(({ script }) => script), 'exec "$@"'].join("\n");
  return [
    ...["unshare", "--mount", "--propagation=slave", "sh", "-euc", program, "sh"] as const,
    ...steps.flatMap(({ args }) => args),
    ...argv,
  ];
}

/**
 * Runs mount(8).
 *
 * @param args Its arguments.
 * @param what `SOURCE on FOLDER`, for a message.
 */
export async function mount(host: Host, args: readonly string[], what: string): Promise<void> {
  const { code, stderr } = await host.processes.capture(["mount", ...args]);
  if (code !== 0) throw hostFailure(`Cannot mount ${what}: ${stderr.trim()}`);
}

/**
 * Unmounts all file systems that are mounted on a folder; does nothing where there is none. There are several where
 * prepare was killed and repeated. One that is in use, as by an nspawn that still ends, goes when it is in use no more.
 */
export async function unmountAll(host: Host, folder: string): Promise<void> {
  while (await isMountPoint(host, folder)) {
    const { code, stderr } = await host.processes.capture(["umount", "--lazy", folder]);
    if (code !== 0) throw hostFailure(`Cannot unmount ${folder}: ${stderr.trim()}`);
  }
}

/** Moves a mounted file system to another folder; succeeds also where it was moved before. */
export async function moveMount(host: Host, from: string, to: string): Promise<void> {
  if (!await isMountPoint(host, from)) return;
  await host.files.makeDirectory(to);
  if (!await isMountPoint(host, to)) await mount(host, ["--bind", from, to], `${from} on ${to}`);
  await unmountAll(host, from);
}

/** Whether a folder is on another device than the folder above it; false also where it does not exist. */
async function isMountPoint(host: Host, folder: string): Promise<boolean> {
  const own = await host.files.stat(folder);
  return own !== null && own.dev !== (await host.files.stat(dirname(folder)))?.dev;
}
