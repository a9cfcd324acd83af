/** The host that a benchmark runs on. */

import { succeed } from "./measure.ts";

/**
 * Where a program is.
 *
 * @param program Its path, or a name that PATH knows.
 * @returns Its path without links.
 * @throws {Error} where there is none.
 */
export async function findProgram(program: string): Promise<string> {
  const { stdout } = await succeed(["sh", "-c", 'command -v -- "$1"', "sh", program]);
  return await Deno.realPath(stdout.trim());
}

/** Whether systemd is PID 1 on this host. */
export async function hasSystemd(): Promise<boolean> {
  return await isThere("/run/systemd/system");
}

/**
 * Whether a path exists.
 *
 * @param path Any path.
 */
export async function isThere(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/**
 * The host in a line of a report.
 *
 * @returns Its system, nspawn, kernel and cores.
 */
export async function describeHost(): Promise<string> {
  const system = (await Deno.readTextFile("/etc/os-release")).match(/^PRETTY_NAME="(.*)"$/m)?.[1];
  const nspawn = (await succeed(["systemd-nspawn", "--version"])).stdout.split(" ")[1];
  const kind = await hasSystemd() ? `systemd ${nspawn}` : `standalone, nspawn ${nspawn}`;
  return `${system}, ${kind}, Linux ${Deno.osRelease()}, ${navigator.hardwareConcurrency} cores`;
}

/** Whether this host has a loop device, and a file system to put on it. */
export async function canMakeDisks(): Promise<boolean> {
  const script = 'device=$(losetup --find) && [ -b "$device" ] && mkfs.ext4 -V';
  const { success } = await new Deno.Command("sh", {
    args: ["-c", script],
    stdout: "null",
    stderr: "null",
  }).output();
  return success;
}
