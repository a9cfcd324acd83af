/** Notes about failed scripts, for the stages that follow. */

import type { Host } from "../../host/host.ts";
import type { Lease } from "../record/lease.ts";
import { idOf } from "../record/name.ts";
import { machinePaths } from "../record/paths.ts";

/** The failed scripts of a machine. */
export interface Failures {
  /** The machine's counter of processes killed for lack of memory, when the last script failed. */
  readonly oomKills: number;
  /** The machine's counter of processes refused by its limit, when the last script failed. */
  readonly tasksRefused: number;
  /** Whether a script of the user failed, so that the machine's writes may be kept. */
  readonly own: boolean;
}

const NO_FAILURES: Failures = { oomKills: 0, tasksRefused: 0, own: false };

/** Returns the failures so far. */
export async function readFailures(host: Host, lease: Lease): Promise<Failures> {
  const { failures } = machinePaths(lease.store, lease.machine);
  try {
    return { ...NO_FAILURES, ...JSON.parse(await host.files.read(failures) ?? "{}") };
  } catch {
    return NO_FAILURES; // half written by a stage that was killed
  }
}

/**
 * Notes that a script failed, and logs once that the writes of the job are kept.
 *
 * @param before The failures before this one.
 */
export async function noteFailure(
  host: Host,
  lease: Lease,
  failures: Failures,
  before: Failures = NO_FAILURES,
): Promise<void> {
  const paths = machinePaths(lease.store, lease.machine);
  // A killed stage may overlap with cleanup: no file may appear after it.
  if (await host.files.lstat(paths.folder) === null) return;
  try {
    await host.files.write(paths.failures, JSON.stringify(failures));
  } catch {
    return; // the disk is full, or cleanup was faster; neither matters to the job
  }
  if (!failures.own || before.own || lease.keep === 0) return;
  const time = lease.keep % 3600 ? `${Math.ceil(lease.keep / 60)} min` : `${lease.keep / 3600} h`;
  host.log.info(
    `nspawn-runner: the job's files are kept for ${time} after its end. ` +
      `The administrator can open them: nspawn-runner shell ${idOf(lease.machine)}`,
  );
}
