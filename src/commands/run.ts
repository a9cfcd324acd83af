import type { CommandRun } from "../app/command.ts";
import { type Ending, isSuccess } from "../ending.ts";
import { messageOf, refused } from "../failure.ts";
import { isLastStage, isUserScript } from "../gitlab/stages.ts";
import type { Host } from "../host/host.ts";
import type { Lease } from "../machines/record/lease.ts";
import { runStage } from "../machines/use/run_script.ts";
import { machineOfStage } from "../app/choices.ts";
import { interruptible } from "../app/interrupt.ts";

/** Runs a script in the machine of a job. */
export const run: CommandRun = async (invocation, { host, config: load }) => {
  const machine = await machineOfStage(host, invocation);
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
  return await interruptible(host, async (cancel) => {
    const began = host.clock.now();
    const { ending, lease } = await runStage(host, store, machine, { script, shell }, cancel);
    try {
      if (isLastStage(stage)) await tellUsage(host, lease);
      if (isSuccess(ending)) return ending;
      return await failed(host, lease, ending, { stage, began, cancelled: cancel.aborted });
    } catch (error) {
      host.log.warn(`nspawn-runner: ${messageOf(error)}`); // no word about a script outweighs its code
      return ending;
    }
  });
};

/** What is known of a stage that failed, besides its end. */
interface Circumstances {
  readonly stage: string | undefined;
  /** In milliseconds. */
  readonly began: number;
  readonly cancelled: boolean;
}

async function failed(
  host: Host,
  lease: Lease,
  ending: Ending,
  { stage, began, cancelled }: Circumstances,
): Promise<Ending> {
  const { explainFailure: explain } = await import("../machines/report/explain.ts");
  const { noteFailure } = await import("../machines/report/failures.ts");
  const explained = await explain(host, lease, ending, began, cancelled);
  const { ending: known, lines, before, ...counted } = explained;
  for (const line of lines) host.log.warn(`nspawn-runner: ${line}`);
  if (known.kind === "lost") return known; // no failure of the script
  const own = before.own || (isUserScript(stage) && !cancelled);
  await noteFailure(host, lease, { ...counted, own }, before);
  return known;
}

async function tellUsage(host: Host, lease: Lease): Promise<void> {
  const { usageSummary: summary } = await import("../machines/report/summary.ts");
  host.log.info(`nspawn-runner: ${await summary(host, lease)}`);
}
