/** Looks at the host that a benchmark runs on. */

import { succeed } from "./measure.ts";

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
