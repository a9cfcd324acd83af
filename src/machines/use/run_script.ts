/** Runs the script of a stage in its machine. */

import { join } from "@std/path/posix";
import type { Ending } from "../../ending.ts";
import { hostFailure } from "../../failure.ts";
import type { StageKind } from "../../gitlab/stages.ts";
import type { Host } from "../../host/host.ts";
import { killStage } from "../exec/cancel.ts";
import { runInMachine } from "../exec/exec.ts";
import { removeStage, type Script, type Streams, writeStage } from "../exec/script.ts";
import { chooseShells } from "../exec/shells.ts";
import type { RunningMachine } from "../exec/stage_ending.ts";
import { CHANNEL } from "../record/channel.ts";
import { findLease, type Lease, type StoreFinder } from "../record/lease.ts";
import { whileStageLocked } from "../record/lock.ts";
import type { MachineName } from "../record/name.ts";
import { type MachinePaths, machinePaths } from "../record/paths.ts";
import { supervisorOf } from "../supervisor/choose.ts";

/** A stage to run. */
export interface Stage {
  readonly script: Uint8Array;
  /** The value of `--shell`. */
  readonly shell: string | undefined;
  readonly streams: Streams;
  readonly kind: StageKind;
  /** What the machine's lock for stages tells of it. */
  readonly purpose?: string;
  /** Called when the script was found to have begun. */
  readonly onBegun?: () => void;
}

/** A stage that has ended. */
export interface StageResult {
  readonly ending: Ending;
  readonly lease: Lease;
}

/**
 * Runs one stage in its machine, after the stage that runs there.
 *
 * @param cancel Ends the script when aborted; the machine stays up.
 * @throws {Failure} of the host where there is no such machine, or it has ended.
 */
export async function runStage(
  host: Host,
  store: StoreFinder,
  name: MachineName,
  { script: bytes, shell, streams, kind, purpose, onBegun }: Stage,
  cancel: AbortSignal,
): Promise<StageResult> {
  const running = await findRunning(host, store, name);
  const { lease } = running;
  const paths = machinePaths(lease.store, name);
  const shells = chooseShells(bytes, shell, lease.shell);
  const act = async (wasKilled: boolean) => {
    if (wasKilled) await killStage(host, running);
    const variables = lease.helper === null ? undefined : await variablesFor(host, paths, kind);
    const script = { bytes, shells, streams, kind, ...variables };
    const stage = await writeStage(host, paths, script, lease);
    try {
      return await runInMachine(host, running, stage, cancel, onBegun);
    } finally {
      await removeStage(host, stage);
    }
  };
  const ending = await whileStageLocked(host, paths.stageLock, cancel, act, purpose);
  return { ending, lease };
}

/** An image's entrypoint sees the job's variables, as in Docker. */
async function variablesFor(
  host: Host,
  { stage }: MachinePaths,
  kind: StageKind,
): Promise<Pick<Script, "variables">> {
  const hasEntrypoint = kind === "script" &&
    await host.files.lstat(join(stage, CHANNEL.entrypoint)) !== null;
  if (!hasEntrypoint) return {};
  const [{ jobVariables }, { variableFunctions }] = await Promise.all([
    import("../../gitlab/variables.ts"),
    import("../exec/variables.ts"),
  ]);
  return { variables: variableFunctions(await jobVariables(host)) };
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
