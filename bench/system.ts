/** Looks at the host that a benchmark runs on. */

import { succeed } from "./measure.ts";

/** Returns the real path of a program, which is given by a path or a name on PATH. */
export async function findProgram(program: string): Promise<string> {
  const { stdout } = await succeed(["sh", "-c", 'command -v -- "$1"', "sh", program]);
  return await Deno.realPath(stdout.trim());
}

/** Returns whether systemd is PID 1 on this host. */
export async function hasSystemd(): Promise<boolean> {
  return await isThere("/run/systemd/system");
}

/** Returns whether a path exists. */
export async function isThere(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** Returns the host's system, nspawn, kernel and cores, for a line of a report. */
export async function describeHost(): Promise<string> {
  const system = (await Deno.readTextFile("/etc/os-release")).match(/^PRETTY_NAME="(.*)"$/m)?.[1];
  const nspawn = (await succeed(["systemd-nspawn", "--version"])).stdout.split(" ")[1];
  const kind = await hasSystemd() ? `systemd ${nspawn}` : `standalone, nspawn ${nspawn}`;
  return `${system}, ${kind}, Linux ${Deno.osRelease()}, ${navigator.hardwareConcurrency} cores`;
}

/** Returns whether this host has a loop device and mkfs.ext4(8). */
export async function canMakeDisks(): Promise<boolean> {
  const script = 'device=$(losetup --find) && [ -b "$device" ] && mkfs.ext4 -V';
  const { success } = await new Deno.Command("sh", {
    args: ["-c", script],
    stdout: "null",
    stderr: "null",
  }).output();
  return success;
}
