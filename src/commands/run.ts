import { machineOfStage } from "../app/choices.ts";
import type { CommandRun } from "../app/command.ts";
import { interruptible } from "../app/interrupt.ts";
import {
  type ReportedFailure,
  reportFailure,
  reportUsage,
  type StageContext,
} from "../app/stage_report.ts";
import { type Ending, isSuccess } from "../ending.ts";
import { messageOf, refused } from "../failure.ts";
import { wantsServiceOutput } from "../gitlab/debug_services.ts";
import { isCalledByRunner } from "../gitlab/exit_codes.ts";
import { isLastStage, kindOf } from "../gitlab/stages.ts";
import { beginStage } from "../history/stage_notes.ts";
import type { Host } from "../host/host.ts";
import type { Lease } from "../machines/record/lease.ts";
import { runStage } from "../machines/use/run_script.ts";

/** Runs a script in the machine of a job. */
export const run: CommandRun = async (invocation, { host, config: load }) => {
  const { name: machine } = await machineOfStage(host, invocation);
  const { script: path = "", stage } = invocation.positionals;
  const script = await host.files.readBytes(path);
  if (script === null) {
    throw refused(
      `Cannot run script ${path}: no such file`,
      "Give the path of a file on this host",
    );
  }
  const store = async () => (await load()).store;
  const shell = invocation.options["shell"];
  // GitLab Runner has one pipe for both streams of a stage.
  const streams = isCalledByRunner(host) ? "one" : "both";
  return await interruptible(host, async (cancel) => {
    const begun = beginStage(host, machine, stage);
    const { purpose, onBegun } = begun;
    const part = { script, shell, streams, kind: kindOf(stage), purpose, onBegun } as const;
    const runScript = () => runStage(host, store, machine, part, cancel);
    // Few jobs ask for the output of their services.
    const show = wantsServiceOutput(host)
      ? (await import("../app/show_services.ts")).whileShowing
      : null;
    try {
      const { ending, lease } =
        await (show?.(host, { machine, store, isLast: isLastStage(stage) }, runScript) ??
          runScript());
      const context = { stage, began: begun.at, cancelled: cancel.aborted };
      const reported = await reportEnding(host, lease, ending, context);
      await begun.end(reported.ending, cancel.aborted, reported.lines);
      return reported.ending;
    } catch (error) {
      await begun.end(null, cancel.aborted, [messageOf(error)]);
      throw error;
    }
  });
};

/** The script's own exit code counts more than a failure to report it. */
async function reportEnding(
  host: Host,
  lease: Lease,
  ending: Ending,
  context: StageContext,
): Promise<ReportedFailure> {
  try {
    if (isLastStage(context.stage)) await reportUsage(host, lease);
    if (!isSuccess(ending)) return await reportFailure(host, lease, ending, context);
  } catch (error) {
    host.log.warn(`nspawn-runner: ${messageOf(error)}`);
  }
  return { ending, lines: [] };
}
