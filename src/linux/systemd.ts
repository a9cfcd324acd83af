/** The init system of the host. */

import type { Host } from "../host/host.ts";

/** Returns whether systemd is PID 1 of the host: sd_booted(3). */
export async function isSystemdHost(host: Host): Promise<boolean> {
  return await host.files.lstat("/run/systemd/system") !== null;
}
