import type { CommandRun } from "../app/command.ts";
import { interruptibleTwice } from "../app/interrupt.ts";
import { messageOf } from "../failure.ts";
import { pipelineOptions } from "../pipeline/session/options.ts";
import { INTERRUPTED } from "../pipeline/session/play.ts";
import { openSession, runSession } from "../pipeline/session/run_session.ts";
import { formatCommands, formatJobs, jobsAsJson } from "../pipeline/show/plan.ts";
import { withPipelineFolder } from "../machines/record/pipelines.ts";

/** Runs the pipeline of a working copy. */
export const run: CommandRun = async (invocation, context) => {
  const { host, config } = context;
  const options = await pipelineOptions(host, invocation);
  const { store } = await config();
  return await interruptibleTwice(host, async (first, second) => {
    try {
      return await withPipelineFolder(host, store, async (folder) => {
        const session = await openSession(context, folder, options, first);
        const { pipeline } = session;
        if (invocation.switches.has("list")) {
          const format = options.stream === "stderr" ? jobsAsJson : formatJobs;
          return host.terminal.out(format(pipeline));
        }
        if (invocation.switches.has("dry-run")) return host.terminal.out(formatCommands(pipeline));
        return await runSession(context, session, options, { first, second });
      });
    } catch (error) {
      if (!first.aborted) throw error;
      host.log.step(messageOf(error)); // programs fail that Ctrl-C ends
      return INTERRUPTED;
    }
  });
};
