import type { CommandRun } from "../app/command.ts";
import { writeOutput } from "../app/output_file.ts";
import { since } from "../app/since.ts";
import { readHistory } from "../history/read.ts";
import { reportText } from "../history/view/report.ts";
import { summarize } from "../history/view/statistics.ts";
import { VERSION } from "../version.ts";

/** Reports on ended jobs. */
export const run: CommandRun = async (invocation, { host, config: load }) => {
  const { store } = await load();
  const from = since(host, invocation, "7d");
  const { records, broken } = await readHistory(host, store, { since: from });
  const statistics = summarize(records);
  const file = invocation.options["html"];
  if (file !== undefined) {
    const { reportPage } = await import("../history/view/html.ts");
    const time = (milliseconds: number) => new Date(milliseconds).toISOString();
    const [begin, until] = [time(from), time(host.clock.now())];
    const facts = { host: host.hostname(), program: VERSION, since: begin, until, broken };
    return await writeOutput(host, file, reportPage(statistics, facts), 0o600);
  }
  if (broken > 0) host.log.warn(`Lines of the history that cannot be read: ${broken}`);
  if (records.length === 0) {
    return host.log.info("No job ended in this time. A longer one: --since 30d");
  }
  host.terminal.out(reportText(statistics));
};
