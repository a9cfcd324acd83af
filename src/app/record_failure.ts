/** Records a job whose machine could not be started; few jobs load what does it. */

import { messageOf } from "../failure.ts";
import type { FailedCall } from "../history/failed_start.ts";
import type { PrepareNotes } from "../history/prepare_notes.ts";
import type { Host } from "../host/host.ts";

/** Records it where that is possible: why the machine did not start counts more. */
export async function recordFailure(
  host: Host,
  store: string,
  failed: FailedCall,
  notes: Pick<PrepareNotes, "all" | "areKept">,
): Promise<void> {
  try {
    const { recordFailedStart } = await import("../history/failed_start.ts");
    await recordFailedStart(host, store, failed, notes);
  } catch (error) {
    host.log.step(`Cannot record the failure: ${messageOf(error)}`);
  }
}
