/** Machines of a command: for a build, for the trial of a new chroot, and for the doctor. */

import { messageOf } from "../failure.ts";
import type { Host } from "../host/host.ts";
import { stopMachine } from "../machines/end/stop.ts";
import type { Lease } from "../machines/record/lease.ts";
import type { MachinePlan } from "../machines/record/plan.ts";
import { type PreparedHost, prepareHost } from "../machines/start/prepare_host.ts";
import { startMachine } from "../machines/start/start.ts";

/** A machine that runs, until {@linkcode withMachine} ends it. */
export interface ShortMachine {
  readonly lease: Lease;
  /** The host as it was prepared for the machine. */
  readonly ready: PreparedHost;
}

/**
 * Starts a machine, and ends it when the given function returns or throws.
 *
 * @throws {Failure} `host` where the machine does not start, or does not end.
 */
export async function withMachine<T>(
  host: Host,
  plan: MachinePlan,
  interrupt: AbortSignal,
  act: (machine: ShortMachine) => Promise<T>,
): Promise<T> {
  const ready = await prepareHost(host, plan, interrupt);
  const lease = await startMachine(host, plan, ready, interrupt);
  const stop = () => stopMachine(host, () => Promise.resolve(plan.store), plan.name);
  let result: T;
  try {
    result = await act({ lease, ready });
  } catch (error) {
    await stop().catch((error) => host.log.warn(messageOf(error)));
    throw error;
  }
  await stop();
  return result;
}
