/** Who decides which image and which machine: arguments, then config's decisions, the job, defaults. */

import type { Invocation } from "./command.ts";
import type { Config } from "../config/settings.ts";
import { hostFailure, refused, usageError } from "../failure.ts";
import { decisionsOf } from "../gitlab/config_stage.ts";
import { type Job, readJob, shortHash } from "../gitlab/job.ts";
import type { Host } from "../host/host.ts";
import { isMachineName, type MachineName, machineName } from "../machines/record/name.ts";

/** A job's machine. */
export interface ChosenMachine {
  readonly id: string;
  readonly machine: MachineName;
  /** A short hash of what tells the job's server from others; undefined by hand. */
  readonly server: string | undefined;
}

/**
 * The machine that a call is about.
 *
 * @param invocation The command line; its `--id` wins.
 * @param job What GitLab Runner says, if it plays a part.
 * @returns The id, and the machine's name.
 * @throws {Failure} of usage where nobody says an id, or one that makes no machine name.
 */
export async function chooseMachine(
  invocation: Invocation,
  job: Job | null,
): Promise<ChosenMachine> {
  const id = invocation.options["id"] ?? job?.id;
  if (id === undefined) {
    throw usageError("Cannot tell which job it is: no id", "Give one: --id 42");
  }
  const server = job?.server === undefined ? undefined : await shortHash(job.server);
  return { id, machine: machineName(id, server), server };
}

/**
 * The machine of a stage that follows config, which has named it: the job is read only where it has not.
 *
 * @param host The outside.
 * @param invocation The command line; its `--id` wins.
 * @returns The machine's name.
 * @throws {Failure} as {@linkcode chooseMachine}.
 */
export async function machineOfStage(host: Host, invocation: Invocation): Promise<MachineName> {
  const decided = decisionsOf(host.env)?.machine;
  if (decided === undefined || invocation.options["id"] !== undefined) {
    return (await chooseMachine(invocation, await readJob(host))).machine;
  }
  if (isMachineName(decided)) return decided;
  throw hostFailure(`Cannot use ${JSON.stringify(decided)}: no name of a machine`);
}

/**
 * The image that a call is about.
 *
 * @param invocation The command line; an image there wins, its `--default-image` serves late.
 * @param job What GitLab Runner says, if it plays a part.
 * @param config Whose default serves last.
 * @returns The image as it was written.
 * @throws {Failure} where nobody names one.
 */
export function chooseImage(invocation: Invocation, job: Job | null, config: Config): string {
  const image = invocation.positionals["image"] ?? job?.image ??
    invocation.options["default-image"] ?? config.default_image;
  if (image !== undefined) return image;
  throw refused(
    "Cannot tell which image: none is named",
    "Name one in the job (image:), on the command line, or as default_image in the configuration",
  );
}
