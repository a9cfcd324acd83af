/** Many jobs, several at once. */

import type { CpuClock } from "./cpu.ts";
import { type Driver, playJob } from "./driver.ts";
import { pause, settle } from "./measure.ts";
import { playSteps } from "./rounds.ts";
import type { Samples } from "./samples.ts";
import { STEP } from "./targets.ts";

const JOBS = 24;
const AT_ONCE = 4;

/** Plays a crowd of jobs of each driver, one driver after another. */
export async function playCrowds(
  round: number,
  drivers: readonly Driver[],
  clock: CpuClock,
  samples: Samples,
): Promise<void> {
  await playSteps(round, drivers.map((driver) => () => playCrowd(driver, clock, samples)));
}

async function playCrowd(driver: Driver, clock: CpuClock, samples: Samples): Promise<void> {
  const [began, before] = [performance.now(), await clock()];
  let left = JOBS;
  const work = async () => {
    while (left-- > 0) await playJob(driver, (_call, act) => act().then(pause));
  };
  const workers = await Promise.allSettled(Array.from({ length: AT_ONCE }, work));
  const ms = performance.now() - began;
  for (const worker of workers) if (worker.status === "rejected") throw worker.reason;
  await settle();
  samples.add(driver.label, STEP.crowd, { ms: ms / JOBS, cpu: (await clock() - before) / JOBS });
}
