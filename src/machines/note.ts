/** What a failed script leaves in its machine's lease. */

import type { Host } from "../host/host.ts";
import type { Counted } from "./explain.ts";
import { type Lease, readLease, writeLease } from "./lease.ts";
import { unlessLocked } from "./lock.ts";
import { idOf } from "./name.ts";

/**
 * Notes that a script failed. Nothing happens where the machine is being ended: a stage that was killed
 * may overlap with cleanup.
 *
 * @param host The outside.
 * @param lease Whose machine.
 * @param counted Counters at this failure.
 * @param keeps Whether what the machine wrote may be worth a look: the user's own script failed.
 */
export async function noteFailure(
  host: Host,
  lease: Lease,
  counted: Counted,
  keeps: boolean,
): Promise<void> {
  await unlessLocked(host, lease.machine, async () => {
    const now = await readLease(host, lease.store, lease.machine);
    if (now === null) return;
    await writeLease(host, { ...now, counted, failed: now.failed || keeps });
  });
  if (!keeps || lease.keep === 0) return;
  host.log.info(
    `nspawn-runner: what the job wrote is kept for ${lease.keep} s after its end: ` +
      `nspawn-runner shell ${idOf(lease.machine)}`,
  );
}
