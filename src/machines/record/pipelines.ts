/** The files of pipelines that run on a working copy, without GitLab. */

import { join } from "@std/path/posix";

/** Returns the folder of all pipelines, for root alone. */
export function pipelinesFolder(store: string): string {
  return join(store, ".pipelines");
}
