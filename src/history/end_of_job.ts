/** Records a job when its machine ends. */

import { messageOf } from "../failure.ts";
import type { Host } from "../host/host.ts";
import type { Lease } from "../machines/record/lease.ts";
import type { JobUsage } from "../machines/report/usage.ts";
import type { EndCause } from "./outcome.ts";
import { readNotes } from "./read_notes.ts";
import type { ServiceRecord } from "./record.ts";

/** The record of a job whose machine ends. */
export interface JobRecording {
  /** Makes the record as far as it is known: while the machine ends, which takes longer. */
  draft(): Promise<void>;
  /**
   * Writes it: after the machine has ended, and before its lease is removed. A failure is only logged, since the end of
   * the machine counts more.
   *
   * @param kept Until when its files are kept, as ISO 8601; null for not at all.
   */
  write(kept: string | null): Promise<void>;
}

/** The end of a machine. */
export interface EndCall {
  readonly cause: EndCause;
  /** When the call that ends it began, in milliseconds since 1970. */
  readonly called: number;
}

/** Collects what is known of a job only while its machine and those of its services are there. */
export async function endOfJob(host: Host, lease: Lease, call: EndCall): Promise<JobRecording> {
  const noted = await readNotes(host, lease.machine);
  const counted = noted.notes.find((note) => note.note === "usage")?.usage;
  const usage = counted ?? await countUsage(host, lease);
  const services = lease.services.length === 0 ? [] : await servicesOf(host, lease);
  const draft = async () => {
    const { draftRecord } = await import("./draft_record.ts");
    return await draftRecord(host, lease, noted, { ...call, usage, services });
  };
  let drafted: ReturnType<typeof draft> | null = null;
  return {
    draft: async () => void await (drafted ??= draft()).catch(() => {}), // write() has the failure
    async write(kept) {
      try {
        await (await (drafted ??= draft()))(kept);
      } catch (error) {
        host.log.step(`Cannot record job ${lease.job}: ${messageOf(error)}`);
      }
    },
  };
}

/** Of a job that GitLab Runner runs to its end, the last stage has noted it already, for no further process. */
async function countUsage(host: Host, lease: Lease): Promise<JobUsage | null> {
  if (lease.leader === null) return null;
  const [{ jobUsage }, { readUsage }] = await Promise.all([
    import("../machines/report/summary.ts"),
    import("../machines/report/usage.ts"),
  ]);
  return jobUsage(await readUsage(host, lease), null);
}

/** Most jobs have none, and pay for no import. */
async function servicesOf(host: Host, lease: Lease): Promise<ServiceRecord[]> {
  const { describeServices } = await import("./describe_services.ts");
  return await describeServices(host, lease);
}
