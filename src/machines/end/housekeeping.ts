/** Housekeeping: before a machine starts, the machines that crashed jobs left are removed, within a time limit. */

import type { Host } from "../../host/host.ts";
import { isOfOtherHost, type Lease, listLeases, machineId } from "../record/lease.ts";
import type { MachineName } from "../record/name.ts";
import { evictHeldMachines } from "./free_space.ts";
import { endOverdue, type HostState, type Overdue } from "./overdue.ts";
import { listOldRemovals, startRemoval } from "./removal.ts";

/** Milliseconds after which no further leftover is removed: the next job or gc removes the rest. */
const TIME_LIMIT = 10_000;

/**
 * Ends overdue machines, then machines that are kept for inspection while disk or memory is short.
 *
 * @param except A machine that is left alone: the caller's own.
 * @param interrupt Ends no further machine when aborted.
 */
export async function removeLeftovers(
  host: Host,
  store: string,
  state: HostState & Pick<Lease, "supervisor">,
  except: MachineName,
  interrupt: AbortSignal,
): Promise<void> {
  const end = host.clock.monotonic() + TIME_LIMIT;
  const endMachine = async ({ lease, reason }: Overdue) => {
    if (interrupt.aborted || host.clock.monotonic() > end) return false;
    host.log.step(`Ending machine ${lease.machine}: ${reason}`);
    const { removeMachine } = await import("./stop.ts");
    await removeMachine(host, lease, reason);
    return true;
  };
  startRemoval(host, state.supervisor, await listOldRemovals(host, store));
  const leases = (await listLeases(host, store)).filter(({ machine }) => machine !== except);
  await endOverdue(host, leases, state, endMachine);
  const own = await machineId(host);
  const evictable = leases.filter((lease) => !isOfOtherHost(lease, own));
  await evictHeldMachines(host, store, evictable, endMachine);
}
