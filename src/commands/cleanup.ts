import { machineOfStage } from "../app/choices.ts";
import type { CommandRun } from "../app/command.ts";
import { findLease, type Lease } from "../machines/record/lease.ts";
import { stopMachine, type StopResult } from "../machines/end/stop.ts";

/** Ends the machine of a job and removes what it wrote. */
export const run: CommandRun = async (invocation, { host, config: load }) => {
  const { name: machine, server } = await machineOfStage(host, invocation);
  const store = async () => (await load()).store;
  const lease = await findLease(host, machine, store);
  if (lease !== null && isOfAnother(server, lease)) {
    host.log.warn(`Machine ${machine} is left alone: its job is of another GitLab server`);
    return;
  }
  const result = await stopMachine(host, store, machine);
  host.log.step(`${MESSAGES[result]}: machine ${machine}`);
};

/** Two servers may share the digits in a machine's name; leases of earlier releases have no more than these. */
function isOfAnother(server: string | undefined, lease: Lease): boolean {
  return server !== undefined && lease.server !== null && !server.startsWith(lease.server);
}

const MESSAGES: Readonly<Record<StopResult, string>> = {
  removed: "Removed",
  held: "Kept what it wrote",
  none: "Nothing to remove",
};
