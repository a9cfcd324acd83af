/** What a stage writes to the job's log after its script: why it failed, and what the job used. */

import type { Ending } from "../ending.ts";
import { isUserScript } from "../gitlab/stages.ts";
import type { Host } from "../host/host.ts";
import type { Lease } from "../machines/record/lease.ts";

/** A stage whose script failed. */
export interface StageContext {
  /** GitLab Runner's name of the stage; undefined by hand. */
  readonly stage: string | undefined;
  /** When it began, in milliseconds since 1970. */
  readonly began: number;
  readonly cancelled: boolean;
}

/**
 * Logs why a script failed, where the host knows, and notes the failure for the stages that follow.
 *
 * @returns How the script ended: `out-of-memory` where the kernel killed it for lack of memory.
 */
export async function reportFailure(
  host: Host,
  lease: Lease,
  ending: Ending,
  { stage, began, cancelled }: StageContext,
): Promise<Ending> {
  const { explainFailure } = await import("../machines/report/explain.ts");
  const { noteFailure } = await import("../machines/report/failures.ts");
  const explanation = await explainFailure(host, lease, ending, began, cancelled);
  const { ending: known, lines, before, ...counters } = explanation;
  const ofServices = lease.services.length === 0 ? [] : await explainServices(host, lease);
  for (const line of [...lines, ...ofServices]) host.log.warn(`nspawn-runner: ${line}`);
  if (known.kind === "lost") return known; // no failure of the script
  const own = before.own || (isUserScript(stage) && !cancelled);
  await noteFailure(host, lease, { ...counters, own }, before);
  return known;
}

/** Most jobs have no services, and pay for no import. */
async function explainServices(host: Host, lease: Lease): Promise<string[]> {
  const { explainServices } = await import("../machines/report/explain_services.ts");
  return await explainServices(host, lease);
}

/** Logs what the job used. */
export async function reportUsage(host: Host, lease: Lease): Promise<void> {
  const { usageSummary } = await import("../machines/report/summary.ts");
  host.log.info(`nspawn-runner: ${await usageSummary(host, lease)}`);
}
