/** Rounds of a benchmark. */

import { Samples } from "./measure.ts";

/**
 * Plays rounds one after another. SIGINT and SIGTERM end the benchmark once a round is over, so that
 * nothing is left behind.
 *
 * @param warmUp How many come first and do not count.
 * @param rounds How many count.
 * @param play Plays one, given its number from 0 and where its times go.
 * @returns The times of those that count.
 * @throws {Error} where it was interrupted, or a round failed.
 */
export async function playRounds(
  warmUp: number,
  rounds: number,
  play: (round: number, samples: Samples) => Promise<void>,
): Promise<Samples> {
  const [warm, samples] = [new Samples(), new Samples()];
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

/**
 * Plays the steps of a round, in an order that moves on with each round.
 *
 * @param round Its number.
 * @param steps All of them.
 */
export async function playSteps(
  round: number,
  steps: readonly (() => Promise<void>)[],
): Promise<void> {
  for (let step = 0; step < steps.length; step++) await steps[(round + step) % steps.length]!();
}
