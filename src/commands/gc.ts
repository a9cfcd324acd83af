import { collectGarbage } from "../app/collect_garbage.ts";
import type { CommandRun } from "../app/command.ts";
import { hostFailure } from "../failure.ts";

/** Ends overdue machines, and removes what has no lease or is not needed any more. */
export const run: CommandRun = async (invocation, { host, config: load }) => {
  const dryRun = invocation.switches.has("dry-run");
  const verb = dryRun ? "Would remove" : "Removing";
  const failures = await collectGarbage({
    host,
    config: await load(),
    dryRun,
    report: (what, why) => host.terminal.out(`${verb} ${what}: ${why}\n`),
  });
  if (failures > 0) {
    throw hostFailure(`Cannot remove all leftovers: ${failures} failed`, "See the messages above");
  }
};
