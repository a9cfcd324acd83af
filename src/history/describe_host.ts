/** Describes the host on which a job ran. */

import type { Host } from "../host/host.ts";
import type { HostRecord } from "./record.ts";

/** Returns the name of this host, and that of its release. */
export async function describeHost(host: Host): Promise<HostRecord> {
  const text = await host.files.read("/etc/os-release") ?? "";
  const release = text.match(/^PRETTY_NAME="?([^"\n]*)"?$/m)?.[1];
  return { name: host.hostname(), release: release ?? null };
}
