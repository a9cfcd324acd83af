/** Notes that a service was not ready in time, for the stages that follow. */

import { join } from "@std/path/posix";
import type { Host } from "../../host/host.ts";
import { CHANNEL } from "../record/channel.ts";
import type { MachinePaths } from "../record/paths.ts";

/** Notes that a service was not ready in time. */
export async function noteLate(host: Host, paths: Pick<MachinePaths, "stage">): Promise<void> {
  await host.files.write(noteIn(paths), "");
}

/** Returns whether a service was not ready in time. */
export async function wasLate(host: Host, paths: Pick<MachinePaths, "stage">): Promise<boolean> {
  return await host.files.lstat(noteIn(paths)) !== null;
}

/** It goes with the machine's channel, in which the machine can change nothing. */
function noteIn({ stage }: Pick<MachinePaths, "stage">): string {
  return join(stage, CHANNEL.late);
}
