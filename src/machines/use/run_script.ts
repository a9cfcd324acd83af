/** Runs the script of a stage in its machine. */

import type { Ending } from "../../ending.ts";
import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import type { Exec, RunningMachine } from "../exec/exec.ts";
import { nsenter } from "../exec/nsenter.ts";
import { removeScript, writeScript } from "../exec/script.ts";
import { chooseShells } from "../exec/shells.ts";
import { transientUnit } from "../exec/transient_unit.ts";
import { findLease, type Lease, type StoreFinder } from "../record/lease.ts";
import type { MachineName } from "../record/name.ts";
import { machinePaths } from "../record/paths.ts";
import { supervisorOf } from "../supervisor/choose.ts";

/** A stage to run. */
export interface Stage {
  readonly script: Uint8Array;
  /** The value of `--shell`. */
  readonly shell: string | undefined;
}

/** A stage that has ended. */
export interface StageResult {
  readonly ending: Ending;
  readonly lease: Lease;
}

/**
 * Runs one stage in its machine.
 *
 * @param cancel Ends the script when aborted; the machine stays up.
 * @throws {Failure} of the host where there is no such machine, or it has ended.
 */
export async function runStage(
  host: Host,
  store: StoreFinder,
  name: MachineName,
  { script, shell }: Stage,
  cancel: AbortSignal,
): Promise<StageResult> {
  const running = await findRunning(host, store, name);
  const { lease } = running;
  const paths = machinePaths(lease.store, name);
  const shells = chooseShells(script, shell, lease.shell);
  const stage = await writeScript(host, paths, script, shells, lease);
  try {
    return { ending: await execOf(lease).run(host, running, stage, cancel), lease };
  } finally {
    await removeScript(host, paths, stage);
  }
}

async function findRunning(
  host: Host,
  store: StoreFinder,
  name: MachineName,
): Promise<RunningMachine> {
  const lease = await findLease(host, name, store);
  if (lease === null) {
    throw hostFailure(
      `Cannot run a script in machine ${name}: there is none`,
      "Start it first: nspawn-runner prepare",
    );
  }
  const { leader } = lease;
  const isAlive = () => supervisorOf(lease).isAlive(host, lease);
  if (leader === null || !await isAlive()) {
    throw hostFailure(
      `Cannot run a script in machine ${name}: it has ended`,
      "Retry the job. The administrator finds the reason: journalctl -u 'nspawn-runner-run-*'",
    );
  }
  return { lease, leader, isAlive };
}

function execOf(lease: Lease): Exec {
  return lease.booted ? transientUnit : nsenter;
}
