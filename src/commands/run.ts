import type { CommandRun } from "../cli/spec.ts";
import { refused } from "../failure.ts";
import { readJob } from "../gitlab/job.ts";
import { runStage } from "../machines/machine.ts";
import { chooseMachine } from "./choices.ts";
import { interruptible } from "./interrupt.ts";

/** Runs a script in the machine of a job. */
export const run: CommandRun = async (invocation, { host, config: load }) => {
  const { machine } = await chooseMachine(invocation, await readJob(host));
  const path = invocation.positionals["script"]!;
  const script = await host.files.readBytes(path);
  if (script === null) {
    throw refused(
      `Cannot run script ${path}: no such file`,
      "Give the path of a file on this host",
    );
  }
  const store = async () => (await load()).store;
  const shell = invocation.options["shell"];
  return await interruptible(
    host,
    (cancel) => runStage(host, store, machine, script, shell, cancel),
  );
};
