/** What a failed script leaves beside what its machine wrote, for the stages after it. */

import type { Host } from "../../host/host.ts";
import type { Lease } from "../record/lease.ts";
import { idOf } from "../record/name.ts";
import { machinePaths } from "../record/paths.ts";

/** What is known of a machine's failed scripts. */
export interface Failures {
  /** Processes that had been killed for their memory when a script last failed. */
  readonly oomKills: number;
  /** How often a process more had been refused by then. */
  readonly tasksRefused: number;
  /** Whether the user's own script failed: what the machine wrote may be worth a look. */
  readonly own: boolean;
}

const NONE: Failures = { oomKills: 0, tasksRefused: 0, own: false };

/**
 * The failures so far.
 *
 * @param host The outside.
 * @param lease Whose machine.
 * @returns Zeros where no script failed.
 */
export async function readFailures(host: Host, lease: Lease): Promise<Failures> {
  const { failures } = machinePaths(lease.store, lease.machine);
  try {
    return { ...NONE, ...JSON.parse(await host.files.read(failures) ?? "{}") };
  } catch {
    return NONE; // half written by a stage that was killed
  }
}

/**
 * Notes that a script failed.
 *
 * @param host The outside.
 * @param lease Whose machine.
 * @param failures All that is known now.
 * @param before What was known: of the user's own script it is told once.
 */
export async function noteFailure(
  host: Host,
  lease: Lease,
  failures: Failures,
  before: Failures = NONE,
): Promise<void> {
  const paths = machinePaths(lease.store, lease.machine);
  // A stage that was killed may overlap with cleanup, which is not to be undone.
  if (await host.files.lstat(paths.folder) === null) return;
  try {
    await host.files.write(paths.failures, JSON.stringify(failures));
  } catch {
    return; // the disk is full, or cleanup was faster: nothing that the job should hear of
  }
  if (!failures.own || before.own || lease.keep === 0) return;
  host.log.info(
    `nspawn-runner: what the job wrote is kept for ${lease.keep} s after its end: ` +
      `nspawn-runner shell ${idOf(lease.machine)}`,
  );
}
