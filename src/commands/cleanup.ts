import { machineOfStage } from "../app/choices.ts";
import type { CommandRun } from "../app/command.ts";
import { stopMachine, type StopResult } from "../machines/end/stop.ts";

/** Ends the machine of a job and removes what it wrote. */
export const run: CommandRun = async (invocation, { host, config: load }) => {
  const machine = await machineOfStage(host, invocation);
  const result = await stopMachine(host, async () => (await load()).store, machine);
  host.log.step(`${MESSAGES[result]}: machine ${machine}`);
};

const MESSAGES: Readonly<Record<StopResult, string>> = {
  removed: "Removed",
  held: "Kept what it wrote",
  none: "Nothing to remove",
};
