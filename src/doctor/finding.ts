/** What a check of this host finds. */

import type { Config } from "../config/settings.ts";
import type { Host } from "../host/host.ts";

/** How well it stands: jobs run; jobs run, with less than they could have; jobs do not run; nothing was proved. */
export type State = "ok" | "weak" | "broken" | "unknown";

/** One row of the doctor's table. */
export interface Finding {
  readonly topic: string;
  readonly state: State;
  /** What is there. */
  readonly found: string;
  /** What to do about it; null where all is well, or nobody knows. */
  readonly fix: string | null;
}

/** One check of a host. */
export type Check = (host: Host, config: Config) => Promise<Finding | readonly Finding[]>;

/**
 * All is well.
 *
 * @param topic What was looked at.
 * @param found What is there.
 * @returns The finding.
 */
export function ok(topic: string, found: string): Finding {
  return { topic, state: "ok", found, fix: null };
}

/**
 * Jobs run, with less than they could have.
 *
 * @param topic What was looked at.
 * @param found What is there.
 * @param fix What would mend it.
 * @returns The finding.
 */
export function weak(topic: string, found: string, fix: string): Finding {
  return { topic, state: "weak", found, fix };
}

/**
 * Jobs do not run.
 *
 * @param topic What was looked at.
 * @param found What is there.
 * @param fix What mends it.
 * @returns The finding.
 */
export function broken(topic: string, found: string, fix: string): Finding {
  return { topic, state: "broken", found, fix };
}

/**
 * Nothing was proved.
 *
 * @param topic What was looked at.
 * @param why What kept it from being proved.
 * @returns The finding.
 */
export function unknown(topic: string, why: string): Finding {
  return { topic, state: "unknown", found: why, fix: null };
}
