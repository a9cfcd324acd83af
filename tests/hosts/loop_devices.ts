/** Loop devices, which back the disks of machines. Containers often have none. */

import type { TestHost } from "./host.ts";

/** The reason why a test is skipped. */
export const NO_LOOP_DEVICES = "this host has no loop devices";

/**
 * Returns the loop devices of this machine, for a host that is to share them.
 *
 * @returns Paths below /dev.
 */
export async function loopDevices(): Promise<string[]> {
  const entries = await Array.fromAsync(Deno.readDir("/dev"));
  return entries.map(({ name }) => `/dev/${name}`).filter((path) =>
    /\/loop(-control|\d+)$/.test(path)
  );
}

/**
 * Returns whether a host can set up a loop device. losetup(8) names a free one and exits with 0 also where the
 * kernel has it and /dev does not.
 *
 * @param host The host.
 */
export async function hasLoopDevices(host: TestHost): Promise<boolean> {
  return (await host.exec(["sh", "-c", 'test -b "$(losetup --find)"'])).code === 0;
}
