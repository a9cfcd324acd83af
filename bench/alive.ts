/** Prepares beside machines that are alive, whose number must not matter. */

import { type Driver, type Job, startJob } from "./driver.ts";
import { pause } from "./measure.ts";
import { playRounds } from "./rounds.ts";
import { Samples } from "./samples.ts";
import { ALIVE, aliveStep } from "./targets.ts";

/** Measures `rounds` prepares of each driver beside each number of machines. */
export async function playAlive(drivers: readonly Driver[], rounds: number): Promise<Samples> {
  const samples = new Samples();
  for (const driver of drivers) await playDriver(driver, rounds, samples);
  return samples;
}

async function playDriver(driver: Driver, rounds: number, samples: Samples): Promise<void> {
  const alive: Job[] = [];
  try {
    for (const count of ALIVE) {
      while (alive.length < count) alive.push((await startJob(driver))[0]);
      await playRounds(1, rounds, (_round, samples) => prepareOne(driver, count, samples), samples);
    }
  } finally {
    for (const job of alive) await job.cleanup();
  }
}

async function prepareOne(driver: Driver, count: number, samples: Samples): Promise<void> {
  await pause();
  const [job, ms] = await startJob(driver);
  samples.add(driver.label, aliveStep(count), { ms, cpu: null });
  await pause();
  await job.cleanup();
}
