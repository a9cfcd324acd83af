/** Finds what is known of a job, whether it runs, is kept or is over. */

import type { Host } from "../host/host.ts";
import { type Lease, listLeases } from "../machines/record/lease.ts";
import { idOf } from "../machines/record/name.ts";
import { type MachineEntry, stateOf } from "../machines/report/list.ts";
import { jobUsage } from "../machines/report/summary.ts";
import { readUsage } from "../machines/report/usage.ts";
import { recordOfMachine } from "./compose.ts";
import { describeHost } from "./describe_host.ts";
import { describeServices } from "./describe_services.ts";
import { readHistory } from "./read.ts";
import { readNotes } from "./read_notes.ts";
import type { JobRecord } from "./record.ts";

/** A job, or one attempt of a job. */
export interface FoundJob {
  /** Of a job that is not over, how it would be recorded if its machine ended now. */
  readonly record: JobRecord;
  /** Null for a job that is over. */
  readonly state: MachineEntry["state"] | null;
}

/**
 * Returns the attempts of a job, the last one first. Files that are not kept any more do not count as kept.
 *
 * @param id The job's id, or the id that `list` shows.
 */
export async function findJob(host: Host, store: string, id: string): Promise<FoundJob[]> {
  const isMeant = ({ job, machine }: Pick<JobRecord, "job" | "machine">) =>
    job === id || idOf(machine as Lease["machine"]) === id;
  const leases = (await listLeases(host, store)).filter(({ service }) => service === null);
  const running = leases.filter((lease) => lease.held === null && isMeant(lease));
  const living = await Promise.all(running.map((lease) => livingJob(host, lease)));
  const { records } = await readHistory(host, store, { matches: isMeant });
  const isKept = ({ kept }: JobRecord) => leases.some(({ held }) => held !== null && held === kept);
  const over = records.map((record) => ({
    record: isKept(record) ? record : { ...record, kept: null },
    state: null,
  }));
  const [last] = [...living, ...over];
  // Jobs of several servers may have that id.
  return [...living, ...over].filter(({ record }) => record.machine === last?.record.machine);
}

async function livingJob(host: Host, lease: Lease): Promise<FoundJob> {
  const now = host.clock.now();
  const record = recordOfMachine(lease, await readNotes(host, lease.machine), {
    cause: { kind: "overdue", reason: "it has not ended" },
    called: now,
    ended: now,
    services: await describeServices(host, lease),
    usage: lease.leader === null ? null : jobUsage(await readUsage(host, lease), null),
    host: await describeHost(host),
  });
  return { record, state: await stateOf(host, lease) };
}
