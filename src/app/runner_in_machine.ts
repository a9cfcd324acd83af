/** Gives a job's machine the gitlab-runner program that its scripts call for artifacts and caches. */

import type { Chroot } from "../chroots/find/chroot.ts";
import { chrootHas } from "../chroots/find/script_shell.ts";
import type { Config } from "../config/settings.ts";
import { findRunnerProgram, RUNNER_PATH, runnerMissing } from "../gitlab/runner_program.ts";
import type { Job } from "../gitlab/job.ts";
import type { Host } from "../host/host.ts";
import type { Bind } from "../machines/record/caches.ts";

/**
 * Returns the bind of the host's gitlab-runner; none without a job, or where the host has no such program.
 *
 * @throws {Failure} where the job needs the program, and neither the host nor the chroot has it.
 */
export async function runnerBinds(
  host: Host,
  config: Config,
  job: Job | null,
  chroot: Chroot,
): Promise<Bind[]> {
  if (job === null) return [];
  const program = await findRunnerProgram(host, config.gitlab_runner);
  if (program !== null) {
    return [{ from: program, to: RUNNER_PATH, readOnly: true, keepsDiskOwners: false }];
  }
  if (job.movesFiles && !await chrootHas(host, chroot, "gitlab-runner")) {
    throw runnerMissing("neither the host nor the image has one");
  }
  return [];
}
