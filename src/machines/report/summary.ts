/** Summarises what a job used: time, CPU, memory, disk. */

import type { Host } from "../../host/host.ts";
import { formatSize } from "../../text/size.ts";
import type { Lease } from "../record/lease.ts";
import { machinePaths } from "../record/paths.ts";
import { storageOf } from "../storage/choose.ts";
import { readUsage } from "./usage.ts";

/** Returns what a job used, as one line; values that the kernel does not count are left out. */
export async function usageSummary(host: Host, lease: Lease): Promise<string> {
  const { folder } = machinePaths(lease.store, lease.machine);
  const [usage, written] = await Promise.all([
    readUsage(host, lease),
    storageOf(lease.storage).bytesWritten(host, folder),
  ]);
  const took = host.clock.now() - Date.parse(lease.began);
  return [
    `${(took / 1000).toFixed(1)} s`,
    ...(usage.cpu === null ? [] : [`CPU ${(usage.cpu / 1e6).toFixed(1)} s`]),
    ...(usage.memoryPeak === null ? [] : [`memory at most ${formatSize(usage.memoryPeak)}`]),
    ...(written === null ? [] : [`${formatSize(written)} written`]),
  ].join(", ");
}
