/** A stage of a job, in its machine. */

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

/** What runs in a machine. */
export interface Stage {
  /** The script, byte for byte. */
  readonly script: Uint8Array;
  /** What `--shell` said. */
  readonly shell: string | undefined;
}

/** A stage that has ended. */
export interface Ended {
  readonly ending: Ending;
  /** The lease of the machine that it ran in. */
  readonly lease: Lease;
}

/**
 * Runs one stage of a job in its machine.
 *
 * @param host The outside.
 * @param store Tells the store's folder, where it has to be known.
 * @param name The machine.
 * @param stage What runs.
 * @param cancel Ends the stage and leaves the machine up.
 * @returns How the stage ended.
 * @throws {Failure} of the host where there is no such machine.
 */
export async function runStage(
  host: Host,
  store: StoreFinder,
  name: MachineName,
  { script, shell }: Stage,
  cancel: AbortSignal,
): Promise<Ended> {
  const running = await findRunning(host, store, name);
  const { lease } = running;
  const paths = machinePaths(lease.store, name);
  const shells = chooseShells(script, shell, lease.shell);
  const stage = await writeScript(host, paths, script, shells, lease);
  try {
    return { ending: await entryOf(lease).run(host, running, stage, cancel), lease };
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
    throw hostFailure(`Cannot run a script in machine ${name}: it has ended`);
  }
  return { lease, leader, isAlive };
}

function entryOf(lease: Lease): Exec {
  return lease.booted ? transientUnit : nsenter;
}
