/** The proof that gitlab-runner runs in a machine: most jobs need none, and do not load it. */

import { hostFailure, messageOf } from "../failure.ts";
import { RUNNER_CHECK, runnerMissing } from "../gitlab/runner_program.ts";
import type { Host } from "../host/host.ts";
import { stopMachine } from "../machines/end/stop.ts";
import type { MachinePlan } from "../machines/record/plan.ts";
import { runStage } from "../machines/use/run_script.ts";

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
