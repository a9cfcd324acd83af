/** What the history tells of a job, as far as its prepare alone knows it. It holds no secret. */

import type { Limits } from "../../config/settings.ts";
import type { Job, RefKind } from "../../gitlab/job.ts";

/** The job, as GitLab describes it. */
export interface JobDescription {
  /** The path of its project; null where no trusted source names it. */
  readonly project: string | null;
  /** Null where no trusted source tells. */
  readonly ref: RefKind | null;
  /** Whether its branch or tag is protected; null where GitLab does not tell. */
  readonly isProtected: boolean | null;
  /** The image as the job or the command line names it; null where none does. */
  readonly image: string | null;
}

/** The job and what its machine is made of. */
export interface MachineDescription extends JobDescription {
  /** The generation of its chroot; null where it has none. */
  readonly generation: number | null;
  /** The digest of its pulled image; null for a chroot. */
  readonly digest: string | null;
  /** Whether the image was pulled since the job began. */
  readonly wasPulled: boolean;
  /** The limits that are enforced. */
  readonly limits: Partial<Limits>;
}

/**
 * Describes a job.
 *
 * @param job Null by hand.
 */
export function describeJob(job: Job | null, image: string | null): JobDescription {
  return {
    project: job?.projectPath ?? null,
    ref: job?.refKind ?? null,
    isProtected: job?.isProtected ?? null,
    image,
  };
}
