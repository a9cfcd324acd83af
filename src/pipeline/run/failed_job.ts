/** What becomes of a job that failed. */

import type { JobResult, PipelineJob } from "../model.ts";

/** Returns whether the job may fail in this way. */
export function isAllowed({ allowFailure }: PipelineJob, { kind, code }: JobResult): boolean {
  if (typeof allowFailure === "boolean") return allowFailure;
  return kind === "script" && allowFailure.includes(code); // others have no exit code
}

/**
 * Returns whether the job is to run again.
 *
 * @param retries How often it was repeated already.
 */
export function wantsRetry({ retry }: PipelineJob, result: JobResult, retries: number): boolean {
  if (retries >= retry.max) return false;
  return retry.when.includes("always") || retry.when.includes(REASONS[result.kind]) ||
    result.kind === "script" && retry.exitCodes.includes(result.code);
}

/** The words of `retry:when`. */
const REASONS: Readonly<Record<JobResult["kind"], string>> = {
  success: "",
  script: "script_failure",
  timeout: "job_execution_timeout",
  system: "runner_system_failure",
  cancelled: "",
};
