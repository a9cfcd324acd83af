/** The option --since of commands that read the history. */

import { DURATION, LONGEST, seconds } from "../config/checks.ts";
import { usageError } from "../failure.ts";
import type { Host } from "../host/host.ts";
import type { Invocation } from "./command.ts";

/**
 * Returns the time from which on jobs are wanted, in milliseconds since 1970.
 *
 * @param standard The value of the option where it is not given.
 * @throws {Failure} of usage where the value is no duration.
 */
export function since(host: Host, { options }: Invocation, standard: string): number {
  const text = options["since"] ?? standard;
  const age = seconds(1, LONGEST)(text);
  if (age !== undefined) return host.clock.now() - age * 1000;
  throw usageError(`Cannot use --since ${text}: it is no duration`, `Give ${DURATION}`);
}
