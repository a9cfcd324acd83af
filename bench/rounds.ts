/** Rounds of a benchmark. */

import { Samples } from "./samples.ts";

/**
 * Runs rounds one after another. SIGINT and SIGTERM end the benchmark after the current round, so that nothing is
 * left behind.
 *
 * @param warmUp The number of rounds that come first and are not counted.
 * @param play Runs one round, given its number from 0 and the samples for its costs.
 * @param samples Receives those of the counted rounds.
 * @returns It.
 * @throws {Error} where it was interrupted, or a round failed.
 */
export async function playRounds(
  warmUp: number,
  rounds: number,
  play: (round: number, samples: Samples) => Promise<void>,
  samples = new Samples(),
): Promise<Samples> {
  const warm = new Samples();
  let stopped = false;
  const stop = () => void (stopped = true);
  Deno.addSignalListener("SIGINT", stop);
  Deno.addSignalListener("SIGTERM", stop);
  for (let round = 0; round < warmUp + rounds; round++) {
    await play(round, round < warmUp ? warm : samples);
    if (stopped) throw new Error("Interrupted");
  }
  Deno.removeSignalListener("SIGINT", stop);
  Deno.removeSignalListener("SIGTERM", stop);
  return samples;
}

/** Runs the steps of a round, beginning with another step in each round. */
export async function playSteps(
  round: number,
  steps: readonly (() => Promise<void>)[],
): Promise<void> {
  for (let step = 0; step < steps.length; step++) await steps[(round + step) % steps.length]!();
}
