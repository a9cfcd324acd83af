import type { CommandRun } from "../app/command.ts";
import { collectMetrics } from "../app/metrics.ts";
import { writeOutput } from "../app/output_file.ts";
import { formatMetrics } from "../history/view/prometheus.ts";

/** Prints metrics, or writes them for a program that reads them at any time. */
export const run: CommandRun = async (invocation, { host, config: load }) => {
  const text = formatMetrics(await collectMetrics(host, await load()));
  const file = invocation.options["output"];
  if (file === undefined) return host.terminal.out(text);
  await writeOutput(host, file, text, 0o644);
};
