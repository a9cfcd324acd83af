import type { CommandRun } from "../app/command.ts";
import { stopMachine, type StopResult } from "../machines/end/stop.ts";
import { machineOfStage } from "../app/choices.ts";

/** Ends the machine of a job and removes what it wrote. */
export const run: CommandRun = async (invocation, { host, config: load }) => {
  const machine = await machineOfStage(host, invocation);
  const stopped = await stopMachine(host, async () => (await load()).store, machine);
  host.log.step(`${SAID[stopped]}: machine ${machine}`);
};

const SAID: Readonly<Record<StopResult, string>> = {
  removed: "Removed",
  held: "Kept what it wrote",
  none: "Nothing to remove",
};
