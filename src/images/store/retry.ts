/** Tries again after network trouble, as the Docker executor does (internal/pull/manager.go). */

import type { Host } from "../../host/host.ts";
import { until } from "../../linux/wait.ts";
import type { PullFailure } from "./pull_failure.ts";

const ATTEMPTS = 3;

/** Milliseconds before the second and the third attempt, to which up to a half is added. */
const DELAYS = [2_000, 6_000];

/** What an attempt gave. */
export type Attempt<T> =
  | { readonly value: T; readonly failed: null }
  | { readonly value: T; readonly failed: PullFailure };

/**
 * Returns what the first successful one of three attempts gave.
 *
 * @throws {Failure} of the last attempt, or of the first whose failure is not transient.
 */
export async function retryNetwork<T>(
  host: Host,
  interrupt: AbortSignal,
  attempt: () => Promise<Attempt<T>>,
): Promise<T> {
  for (let index = 0;; index++) {
    const { value, failed } = await attempt();
    if (failed === null) return value;
    const { failure, isTransient } = failed;
    if (!isTransient || index + 1 >= ATTEMPTS) throw failure;
    const delay = DELAYS[index]! * (1 + Math.random() / 2);
    host.log.warn(`${failure.message}; next attempt in ${Math.round(delay / 1000)} s`);
    const wait = { timeout: delay, interval: 100, signal: interrupt };
    await until(host, wait, () => false);
    if (interrupt.aborted) throw failure;
  }
}
