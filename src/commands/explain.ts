import type { CommandRun } from "../app/command.ts";
import { refused } from "../failure.ts";
import { findJob } from "../history/find_job.ts";
import { explainJob } from "../history/view/explain.ts";
import type { Host } from "../host/host.ts";
import { printableJson } from "../text/json.ts";

/** Explains a job. */
export const run: CommandRun = async (invocation, { host, config: load }) => {
  const id = invocation.positionals["job"]!;
  const [last, ...others] = await findJob(host, (await load()).store, id);
  if (last === undefined) {
    throw refused(
      `Cannot explain job ${JSON.stringify(id)}: it is not recorded`,
      "List the jobs: nspawn-runner history --since 30d; those that run: nspawn-runner list",
    );
  }
  if (invocation.switches.has("json")) {
    const { record, state } = last;
    return host.terminal.out(printableJson({ ...record, state }));
  }
  host.terminal.out(explainJob([last, ...others], barMark(host)));
};

/** Bars are for a person who looks. */
function barMark(host: Host): string | null {
  if (!host.terminal.is("stdout")) return null;
  const locale = host.env("LC_ALL") || host.env("LC_CTYPE") || host.env("LANG") || "";
  return /UTF-?8/i.test(locale) ? "█" : "#";
}
