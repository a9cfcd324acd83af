/** Gives a job's machine the gitlab-runner program that its scripts call for artifacts and caches. */

import type { Chroot } from "../chroots/find/chroot.ts";
import { chrootHas } from "../chroots/find/script_shell.ts";
import type { Config } from "../config/settings.ts";
import { hostFailure, messageOf } from "../failure.ts";
import {
  findRunnerProgram,
  RUNNER_CHECK,
  RUNNER_PATH,
  runnerMissing,
} from "../gitlab/runner_program.ts";
import type { Job } from "../gitlab/job.ts";
import type { Host } from "../host/host.ts";
import { stopMachine } from "../machines/end/stop.ts";
import type { Bind } from "../machines/record/caches.ts";
import type { MachinePlan } from "../machines/record/plan.ts";
import { runStage } from "../machines/use/run_script.ts";

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

/**
 * Checks that gitlab-runner runs in a started machine, and ends the machine where it does not: GitLab Runner's own
 * scripts would only warn, and the job would pass without its artifacts.
 *
 * @throws {Failure} where the program does not run in the machine.
 */
export async function verifyRunner(
  host: Host,
  { name, store: folder }: MachinePlan,
  interrupt: AbortSignal,
): Promise<void> {
  const store = () => Promise.resolve(folder);
  const proof = { script: RUNNER_CHECK, shell: "sh", streams: "both", kind: "files" } as const;
  const { ending } = await runStage(host, store, name, proof, interrupt);
  if (ending.kind === "exited" && ending.code === 0) return;
  await stopMachine(host, store, name).catch((error) => host.log.warn(messageOf(error)));
  if (ending.kind === "exited" && !interrupt.aborted) {
    throw runnerMissing("it does not run in the machine");
  }
  throw hostFailure(
    `Cannot start machine ${name}: interrupted while gitlab-runner was tested in it`,
  );
}
