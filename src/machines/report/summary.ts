/** Summarises what a job used: time, CPU, memory, disk. */

import type { Host } from "../../host/host.ts";
import { formatSize } from "../../text/size.ts";
import type { Lease } from "../record/lease.ts";
import { machinePaths } from "../record/paths.ts";
import { storageOf } from "../storage/choose.ts";
import { readUsage, type Usage } from "./usage.ts";

/** What a job used. */
export interface UsageSummary {
  /** One line for people; values that the kernel does not count are left out. */
  readonly line: string;
  readonly usage: Usage;
  /** Bytes of its files; null where that is not known. */
  readonly written: number | null;
}

/** Reads what a job used. */
export async function summarizeUsage(host: Host, lease: Lease): Promise<UsageSummary> {
  const { folder } = machinePaths(lease.store, lease.machine);
  const [usage, written] = await Promise.all([
    readUsage(host, lease),
    storageOf(lease.storage).bytesWritten(host, folder),
  ]);
  const took = host.clock.now() - Date.parse(lease.began);
  const line = [
    `${(took / 1000).toFixed(1)} s`,
    ...(usage.cpu === null ? [] : [`CPU ${(usage.cpu / 1e6).toFixed(1)} s`]),
    ...(usage.memoryPeak === null ? [] : [`memory at most ${formatSize(usage.memoryPeak)}`]),
    ...(written === null ? [] : [`${formatSize(written)} written`]),
  ].join(", ");
  return { line, usage, written };
}
