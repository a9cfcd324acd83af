/** The ids by which people name machines. */

import type { Lease } from "./lease.ts";
import { heldName, idOf, type MachineName } from "./name.ts";

/** Returns the machine of the job that a machine belongs to: itself, or that of which it is a service. */
export function jobMachineOf(
  { machine, service, held }: Pick<Lease, "machine" | "service" | "held">,
): MachineName {
  if (service === null) return machine;
  return held === null ? service.job : heldName(service.job);
}

/** Returns the id by which people name a machine: `ID` for that of a job, `ID/ALIAS` for that of a service. */
export function shownId(lease: Pick<Lease, "machine" | "service" | "held">): string {
  const id = idOf(jobMachineOf(lease));
  return lease.service === null ? id : `${id}/${lease.service.aliases.at(-1)}`;
}
