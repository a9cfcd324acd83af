/** The result of one check of this host, and what every check gets. */

import type { ChrootEntry } from "../chroots/find/list.ts";
import type { Config } from "../config/settings.ts";
import type { Host } from "../host/host.ts";

/**
 * - `ok`: nothing to do
 * - `weak`: jobs run, with less protection or fewer features
 * - `broken`: jobs do not run
 * - `unknown`: the check could not be made
 */
export type State = "ok" | "weak" | "broken" | "unknown";

/** One row of the doctor's table. */
export interface Finding {
  readonly topic: string;
  readonly state: State;
  readonly found: string;
  /** What to do about it; null where nothing is to be done. */
  readonly fix: string | null;
}

/** One check of a host; it gets all chroots, since listing them is slow. */
export type Check = (
  host: Host,
  config: Config,
  chroots: readonly ChrootEntry[],
) => Promise<Finding | readonly Finding[]>;

/** Returns a finding where nothing is to be done. */
export function ok(topic: string, found: string): Finding {
  return { topic, state: "ok", found, fix: null };
}

/** Returns a finding with which jobs run, but with less protection or fewer features. */
export function weak(topic: string, found: string, fix: string): Finding {
  return { topic, state: "weak", found, fix };
}

/** Returns a finding with which jobs do not run. */
export function broken(topic: string, found: string, fix: string): Finding {
  return { topic, state: "broken", found, fix };
}

/** Returns a finding of a check that could not be made. */
export function unknown(topic: string, reason: string): Finding {
  return { topic, state: "unknown", found: reason, fix: null };
}
