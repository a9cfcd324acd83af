/** Records a job when its machine ends. */

import type { Host } from "../host/host.ts";
import type { Lease } from "../machines/record/lease.ts";
import { appendRecord } from "./append.ts";
import { recordOfMachine } from "./compose.ts";
import { describeHost } from "./describe_host.ts";
import { readNotes } from "./read_notes.ts";
import type { EndCause } from "./outcome.ts";
import { type JobUsage, jobUsage, type ServiceRecord } from "./record.ts";

/**
 * Writes the record of a job: after its machine has ended, and before its lease is removed.
 *
 * @param kept Until when its files are kept, as ISO 8601; null for not at all.
 */
export type JobRecording = (kept: string | null) => Promise<void>;

/** The end of a machine. */
export interface EndCall {
  readonly cause: EndCause;
  /** When the call that ends it began, in milliseconds since 1970. */
  readonly called: number;
}

/** Collects what is known of a job while its machine and those of its services are still there. */
export async function endOfJob(host: Host, lease: Lease, call: EndCall): Promise<JobRecording> {
  const noted = await readNotes(host, lease.machine);
  const counted = noted.notes.find((note) => note.note === "usage")?.usage;
  const usage = counted ?? await countUsage(host, lease);
  const services = lease.services.length === 0 ? [] : await servicesOf(host, lease);
  const self = await describeHost(host);
  return async (kept) => {
    const facts = { ...call, kept, ended: host.clock.now(), services, usage, host: self };
    await appendRecord(host, lease.store, recordOfMachine(lease, noted, facts));
  };
}

/** Of a job that GitLab Runner runs to its end, the last stage has noted it already, for no further process. */
async function countUsage(host: Host, lease: Lease): Promise<JobUsage | null> {
  if (lease.leader === null) return null;
  const { readUsage } = await import("../machines/report/usage.ts");
  return jobUsage(await readUsage(host, lease), null);
}

/** Most jobs have none, and pay for no import. */
async function servicesOf(host: Host, lease: Lease): Promise<ServiceRecord[]> {
  const { describeServices } = await import("./describe_services.ts");
  return await describeServices(host, lease);
}
