/** Chooses the machine and the image of a call: by arguments, then the config stage, the job, the defaults. */

import type { Invocation } from "./command.ts";
import type { Config } from "../config/settings.ts";
import { hostFailure, refused, usageError } from "../failure.ts";
import { decisionsOf } from "../gitlab/config_stage.ts";
import type { Job } from "../gitlab/job.ts";
import { serverHash } from "../gitlab/server_hash.ts";
import type { Host } from "../host/host.ts";
import { isMachineName, type MachineName, machineName } from "../machines/record/name.ts";

/** The machine that a call is about. */
export interface ChosenMachine {
  readonly id: string;
  readonly name: MachineName;
  /** A hash of the GitLab server's identity; undefined by hand. */
  readonly server: string | undefined;
}

/**
 * Returns the machine of `--id`, or else of the job.
 *
 * @param job Null where a person calls.
 * @throws {Failure} of usage where there is no id, or it makes no valid machine name.
 */
export async function chooseMachine(
  invocation: Invocation,
  job: Job | null,
): Promise<ChosenMachine> {
  const id = invocation.options["id"] ?? job?.id;
  if (id === undefined) {
    throw usageError("Cannot choose the machine: no job id is given", "Give one: --id 42");
  }
  const server = job?.server === undefined ? undefined : await serverHash(job.server);
  return { id, name: machineName(id, server), server };
}

/**
 * Returns the machine of a stage after the config stage, which has put the machine's name into the environment. The
 * job is read only where that name is missing or `--id` is given; most calls do not even load what reads it.
 *
 * @throws {Failure} as {@linkcode chooseMachine}.
 */
export async function machineOfStage(
  host: Host,
  invocation: Invocation,
): Promise<Pick<ChosenMachine, "name" | "server">> {
  const decided = decisionsOf(host.env);
  if (decided === undefined || invocation.options["id"] !== undefined) {
    const { readJob } = await import("../gitlab/job.ts");
    return await chooseMachine(invocation, await readJob(host));
  }
  const { machine: name, server } = decided;
  if (isMachineName(name)) return { name, server };
  throw hostFailure(
    `Cannot use machine ${JSON.stringify(name)} of the config stage: it is not a valid name`,
  );
}

/**
 * Returns the image of the command line, the job, `--default-image` or the configuration, whichever comes first.
 *
 * @param job Null where a person calls.
 * @throws {Failure} where none of them names one.
 */
export function chooseImage(invocation: Invocation, job: Job | null, config: Config): string {
  const image = invocation.positionals["image"] ?? job?.image ??
    invocation.options["default-image"] ?? config.default_image;
  if (image !== undefined) return image;
  throw refused(
    "Cannot choose the image: none is named",
    "Name one in the job (image:), on the command line, or as default_image in the configuration",
  );
}
