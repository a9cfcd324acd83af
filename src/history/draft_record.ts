/** Makes the record of a job before its machine has ended, and completes it then. */

import type { Host } from "../host/host.ts";
import type { Lease } from "../machines/record/lease.ts";
import { appendRecord } from "./append.ts";
import { type EndFacts, recordOfMachine, withEnd } from "./compose.ts";
import { describeHost } from "./describe_host.ts";
import type { JobNotes } from "./notes.ts";

/**
 * Makes the record of a job.
 *
 * @returns Completes and appends it; takes until when the job's files are kept, as ISO 8601, or null.
 */
export async function draftRecord(
  host: Host,
  lease: Lease,
  noted: JobNotes,
  facts: Omit<EndFacts, "ended" | "host">,
): Promise<(kept: string | null) => Promise<void>> {
  const now = host.clock.now();
  const self = await describeHost(host);
  const draft = recordOfMachine(lease, noted, { ...facts, ended: now, host: self });
  return (kept) => appendRecord(host, lease.store, withEnd(draft, host.clock.now(), kept));
}
