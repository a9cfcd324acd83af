/** The folder that the caller of prepare gives to a machine, such as the sources of a pipeline's job. */

import { dirname, join, normalize } from "@std/path/posix";
import { refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import type { Bind } from "../record/caches.ts";
import { INSIDE } from "../record/channel.ts";
import { HELPER_INSIDE } from "../record/helper_root.ts";
import type { MachinePaths } from "../record/paths.ts";
import { pipelinesFolder } from "../record/pipelines.ts";

/** Its folder among the files of the machine's channel. */
const INPUT = "input";

/** Where scripts see it, in the machine's own root and in the helper root. */
export const INPUT_INSIDE = `${INSIDE}/${INPUT}`;

/**
 * Verifies that a folder lies below the store's folder of pipelines, and that root alone can have put it there: the folders
 * on its path, the first one included, are no links, and belong to root, and nobody else writes to them.
 *
 * @throws {Failure} `refused` where one of this is not so.
 */
export async function verifyInput(host: Host, store: string, input: string): Promise<void> {
  const root = pipelinesFolder(store);
  if (normalize(input) !== input || input.endsWith("/") || !input.startsWith(`${root}/`)) {
    throw unusable(input, `it does not lie in ${root}`);
  }
  for (let folder = input; folder !== dirname(root); folder = dirname(folder)) {
    const stat = await host.files.lstat(folder);
    if (stat?.kind !== "directory") throw unusable(input, `${folder} is no folder`);
    if (stat.uid !== 0) throw unusable(input, `${folder} does not belong to root`);
    if ((stat.mode & WRITABLE_BY_OTHERS) !== 0) {
      throw unusable(input, `others than root may write to ${folder}`);
    }
  }
}

const WRITABLE_BY_OTHERS = 0o022;

function unusable(input: string, reason: string): Error {
  return refused(
    `Cannot give folder ${input} to the machine: ${reason}`,
    "Unset NSPAWN_RUNNER_INPUT: nspawn-runner pipeline sets it for its own calls",
  );
}

/**
 * Makes the mount points of the folder in the machine's channel, which is open, and returns its binds.
 *
 * Files do not keep their owners: all users of the machine may read what others may read on the host.
 */
export async function bindInput(
  host: Host,
  { stage }: MachinePaths,
  input: string,
  hasHelper: boolean,
): Promise<Bind[]> {
  const shown = (from: string, to: string): Bind => ({
    ...{ from, to },
    readOnly: true,
    keepsDiskOwners: false,
  });
  await host.files.makeDirectory(join(stage, INPUT), 0o755);
  const own = shown(input, INPUT_INSIDE);
  if (!hasHelper) return [own];
  // The helper root is read-only, so that its /run gets a folder with the mount point.
  const [, top = "", ...below] = INPUT_INSIDE.split("/");
  const run = join(stage, `helper-${top}`);
  await host.files.makeDirectory(join(run, ...below), 0o755);
  return [own, shown(run, `${HELPER_INSIDE}/${top}`), shown(input, HELPER_INSIDE + INPUT_INSIDE)];
}
