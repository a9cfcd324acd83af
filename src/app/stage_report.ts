/** What a stage writes to the job's log after its script: why it failed, and what the job used. */

import type { Ending } from "../ending.ts";
import { isUserScript } from "../gitlab/stages.ts";
import { addNote } from "../history/notes.ts";
import type { Host } from "../host/host.ts";
import type { Lease } from "../machines/record/lease.ts";
import type { ServiceTrouble } from "../machines/report/explain_services.ts";

/** A stage whose script failed. */
export interface StageContext {
  /** GitLab Runner's name of the stage; undefined by hand. */
  readonly stage: string | undefined;
  /** When it began, in milliseconds since 1970. */
  readonly began: number;
  readonly cancelled: boolean;
}

/** A failed script, as the job's log has it. */
export interface ReportedFailure {
  /** `out-of-memory` where the kernel killed it for lack of memory. */
  readonly ending: Ending;
  /** The reasons that were logged. */
  readonly lines: readonly string[];
}

/** Logs why a script failed, where the host knows, and notes the failure for the stages that follow. */
export async function reportFailure(
  host: Host,
  lease: Lease,
  ending: Ending,
  { stage, began, cancelled }: StageContext,
): Promise<ReportedFailure> {
  const { explainFailure } = await import("../machines/report/explain.ts");
  const { noteFailure } = await import("../machines/report/failures.ts");
  const explanation = await explainFailure(host, lease, ending, began, cancelled);
  const { ending: known, lines: own, before, ...counters } = explanation;
  const ofServices = lease.services.length === 0 ? [] : await explainServices(host, lease);
  for (const line of own) host.log.warn(`nspawn-runner: ${line}`);
  for (const { line, quote } of ofServices) host.log.warn(`nspawn-runner: ${line}${quote}`);
  const lines = [...own, ...ofServices.map(({ line }) => line)];
  if (known.kind === "lost") return { ending: known, lines }; // no failure of the script
  const isOwn = before.own || (isUserScript(stage) && !cancelled);
  await noteFailure(host, lease, { ...counters, own: isOwn }, before);
  return { ending: known, lines };
}

/** Most jobs have no services, and pay for no import. */
async function explainServices(host: Host, lease: Lease): Promise<ServiceTrouble[]> {
  const { explainServices } = await import("../machines/report/explain_services.ts");
  return await explainServices(host, lease);
}

/** Logs what the job and its services used, and notes it for the record of the job. */
export async function reportUsage(host: Host, lease: Lease): Promise<void> {
  const { summarizeServices, summarizeUsage } = await import("../machines/report/summary.ts");
  const { line, usage } = await summarizeUsage(host, lease);
  host.log.info(`nspawn-runner: ${line}`);
  const ofServices = await summarizeServices(host, lease);
  if (ofServices !== null) host.log.info(`nspawn-runner: ${ofServices}`);
  const at = host.clock.now();
  await addNote(host, lease.machine, { at, note: "usage", usage });
}
