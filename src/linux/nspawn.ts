/** systemd-nspawn, for all that call it. */

import { join } from "@std/path/posix";
import { hostFailure } from "../failure.ts";
import type { Host } from "../host/host.ts";
import { RUNTIME } from "../runtime_folder.ts";

/**
 * A path for nspawn's --bind= and --overlay=, which separate paths by colons.
 *
 * @param path Any path.
 * @returns The same path to nspawn.
 */
export function escapeColons(path: string): string {
  return path.replaceAll("\\", "\\\\").replaceAll(":", "\\:");
}

/**
 * The version of systemd-nspawn, asked once and kept until its executable changes.
 *
 * @param host The outside.
 * @returns The first number of what it prints, 252 of `252.39-1~deb12u1` and 258 of `258~rc1`.
 * @throws {Failure} of the host where there is none.
 */
export async function nspawnVersion(host: Host): Promise<number> {
  const executable = await host.files.stat("/usr/bin/systemd-nspawn");
  const key = executable === null ? null : `${executable.ino}-${executable.modified?.getTime()}`;
  const answer = join(RUNTIME, ".nspawn-version");
  const [knownKey, known] = (await host.files.read(answer) ?? "").split(" ");
  if (key !== null && knownKey === key) return Number(known);
  const version = await askVersion(host);
  if (key !== null) {
    await host.files.makeDirectory(RUNTIME);
    await host.files.replace(answer, `${key} ${version}`);
  }
  return version;
}

async function askVersion(host: Host): Promise<number> {
  const { stdout } = await host.processes.capture(["systemd-nspawn", "--version"]);
  const version = stdout.match(/^systemd (\d+)/)?.[1];
  if (version === undefined) {
    throw hostFailure(`Cannot read the version of systemd-nspawn: ${stdout.split("\n")[0]}`);
  }
  return Number(version);
}

/**
 * Whether systemd-nspawn can filter system calls. One that was built without starts machines all the same.
 *
 * @param host The outside.
 * @returns True where it says so.
 */
export async function filtersCalls(host: Host): Promise<boolean> {
  const { stdout } = await host.processes.capture(["systemd-nspawn", "--version"]);
  return /^\+SECCOMP\b| \+SECCOMP\b/m.test(stdout);
}
