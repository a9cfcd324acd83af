/** Simulates GitLab Runner with one job, whose stages it logs. */

import type { Ending } from "../ending.ts";
import { runnerJob, type SimulatedJob, simulatedStages } from "../gitlab/simulation.ts";
import type { Argv, Host } from "../host/host.ts";
import { playJob } from "./job_runner.ts";

/**
 * Simulates one job, from config to cleanup.
 *
 * @param driver The words that call this program; a command follows.
 * @param interrupt Cancels the job when aborted; its cleanup still runs.
 * @returns How the job ended.
 */
export async function simulateJob(
  host: Host,
  driver: Argv,
  job: SimulatedJob,
  interrupt: AbortSignal,
): Promise<Ending> {
  const folder = await host.files.temporaryDirectory("custom-executor");
  try {
    const { ending } = await playJob(host, {
      driver,
      folder,
      interrupt,
      job: runnerJob(job),
      plan: ({ buildsDir }) =>
        Promise.resolve({
          stages: simulatedStages(job, buildsDir),
          variables: {},
          prepareEnv: {},
        }),
      onOutput: null,
      onBegin: (stage) => host.log.info(`simulate: ${stage} begins`),
      onEnd: (stage, code, ms) =>
        host.log.info(
          `simulate: ${stage} ended with ${code} after ${(ms / 1000).toFixed(2)} s`,
        ),
    });
    if (ending.kind === "exited") {
      host.log.info(`simulate: the job's exit code is ${ending.code}`);
    }
    return ending;
  } finally {
    await host.files.removeTree(folder);
  }
}
