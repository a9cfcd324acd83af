/** Summarises what a job and its services used: time, CPU, memory, disk. */

import type { Host } from "../../host/host.ts";
import { diskUsage } from "../../linux/disk.ts";
import { formatSize } from "../../text/size.ts";
import { type JobService, type Lease, readLease } from "../record/lease.ts";
import { machinePaths } from "../record/paths.ts";
import { storageOf } from "../storage/choose.ts";
import { type JobUsage, readUsage, type Usage } from "./usage.ts";

/** What a job used. */
export interface UsageSummary {
  /** One line for people; values that the kernel does not count are left out. */
  readonly line: string;
  readonly usage: JobUsage;
}

/** Reads what a job used. */
export async function summarizeUsage(host: Host, lease: Lease): Promise<UsageSummary> {
  const [usage, written] = await Promise.all([readUsage(host, lease), bytesWritten(host, lease)]);
  const took = host.clock.now() - Date.parse(lease.began);
  const line = [
    `${(took / 1000).toFixed(1)} s`,
    ...counted(usage),
    ...(written === null ? [] : [`${formatSize(written)} written`]),
  ].join(", ");
  return { line, usage: jobUsage(usage, written) };
}

/** Returns the part of a machine's counters that the history has. */
export function jobUsage(usage: Usage, written: number | null): JobUsage {
  const { memoryPeak, memoryMax, memoryHigh, memoryStalled, oomKills } = usage;
  const { tasksPeak, tasksMax, tasksRefused, cpu, ioRead, ioWritten } = usage;
  return {
    ...{ memoryPeak, memoryMax, memoryHigh, memoryStalled, oomKills },
    ...{ tasksPeak, tasksMax, tasksRefused, cpu, ioRead, ioWritten, written },
  };
}

/** The folders that a job shares with its services are beside its machine's root. */
async function bytesWritten(host: Host, lease: Lease): Promise<number | null> {
  const { folder, shared } = machinePaths(lease.store, lease.machine);
  const own = storageOf(lease.storage).bytesWritten(host, folder);
  if (lease.services.length === 0) return await own;
  const all = await Promise.all([own, diskUsage(host, shared, 5)]);
  const known = all.filter((bytes) => bytes !== null);
  return known.length === 0 ? null : known.reduce((sum, bytes) => sum + bytes);
}

/** Returns what the services of a job used, as one line; null where it has none, or the kernel does not count. */
export async function summarizeServices(host: Host, job: Lease): Promise<string | null> {
  const all = await Promise.all(
    job.services.map((service) => summarizeService(host, job, service)),
  );
  const known = all.filter((one) => one !== null);
  return known.length === 0 ? null : `services: ${known.join(", ")}`;
}

async function summarizeService(
  host: Host,
  { store }: Lease,
  { machine, aliases }: JobService,
): Promise<string | null> {
  const lease = await readLease(host, store, machine);
  const values = lease === null ? [] : counted(await readUsage(host, lease));
  return values.length === 0 ? null : `${aliases.at(-1)} (${values.join(", ")})`;
}

function counted({ cpu, memoryPeak }: Usage): string[] {
  return [
    ...(cpu === null ? [] : [`CPU ${(cpu / 1e6).toFixed(1)} s`]),
    ...(memoryPeak === null ? [] : [`memory at most ${formatSize(memoryPeak)}`]),
  ];
}
