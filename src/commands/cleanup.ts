import type { CommandRun } from "../cli/spec.ts";
import { readJob } from "../gitlab/job.ts";
import { stopMachine } from "../machines/machine.ts";
import { chooseMachine } from "./choices.ts";

/** Ends the machine of a job and removes what it wrote. */
export const run: CommandRun = async (invocation, { host, config: load }) => {
  const { machine } = await chooseMachine(invocation, await readJob(host));
  const was = await stopMachine(host, async () => (await load()).store, machine);
  host.log.step(was ? `Removed machine ${machine}` : `No machine ${machine}: nothing to remove`);
};
