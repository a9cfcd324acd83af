/** Who decides which image and which machine: arguments, then the job, then defaults. */

import type { Invocation } from "../cli/spec.ts";
import type { Config } from "../config/settings.ts";
import { refused, usageError } from "../failure.ts";
import { type Job, shortHash } from "../gitlab/job.ts";
import { type MachineName, machineName } from "../machines/name.ts";

/** A job's id with the name of its machine. */
export interface Chosen {
  readonly id: string;
  readonly machine: MachineName;
}

/**
 * The machine that a call is about.
 *
 * @param invocation The command line; its `--id` wins.
 * @param job What GitLab Runner says, if it plays a part.
 * @returns The id and the machine's name.
 * @throws {Failure} of usage where nobody says an id, or one that makes no machine name.
 */
export async function chooseMachine(invocation: Invocation, job: Job | null): Promise<Chosen> {
  const id = invocation.options["id"] ?? job?.id;
  if (id === undefined) {
    throw usageError("Cannot tell which job it is: no id", "Give one: --id 42");
  }
  const server = job?.server === undefined ? undefined : await shortHash(job.server);
  return { id, machine: machineName(id, server) };
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
