import type { CommandRun } from "../app/command.ts";
import { since } from "../app/since.ts";
import { readHistory } from "../history/read.ts";
import { callOf, durationOf, type JobRecord } from "../history/record.ts";
import { formatDuration } from "../text/duration.ts";
import { printableJson } from "../text/json.ts";
import { printable } from "../text/printable.ts";
import { formatSize } from "../text/size.ts";
import { formatTable } from "../text/table.ts";

/** Lists ended jobs. */
export const run: CommandRun = async (invocation, { host, config: load }) => {
  const { store } = await load();
  const project = invocation.options["project"];
  const onlyFailed = invocation.switches.has("failed");
  const { records, broken } = await readHistory(host, store, {
    since: since(host, invocation, "1d"),
    matches: (record) =>
      (project === undefined || isOfProject(record, project)) &&
      (!onlyFailed || record.outcome !== "success"),
  });
  if (broken > 0) host.log.warn(`Lines of the history that cannot be read: ${broken}`);
  if (invocation.switches.has("json")) {
    return host.terminal.out(printableJson(records));
  }
  const rows = records.map(rowOf);
  if (!host.terminal.is("stdout")) {
    return host.terminal.out(rows.map((row) => row.join(" ") + "\n").join(""));
  }
  if (rows.length === 0) {
    const such = onlyFailed || project !== undefined ? "such " : "";
    return host.log.info(`No ${such}job ended in this time. A longer one: --since 30d`);
  }
  host.terminal.out(formatTable(HEAD, rows));
};

const HEAD = ["ENDED", "JOB", "PROJECT", "IMAGE", "OUTCOME", "TIME", "PREPARE", "CPU", "MEMORY"];

/** A group has the projects below it. */
function isOfProject(record: JobRecord, wanted: string): boolean {
  return record.project === wanted || record.project?.startsWith(`${wanted}/`) === true;
}

/** No cell has a blank, for programs that split the line. */
function rowOf(record: JobRecord): readonly string[] {
  const { ended, job, project, tree, image, outcome, code, usage } = record;
  const { cpu = null, memoryPeak = null } = usage ?? {};
  const prepare = callOf(record, "prepare")?.took;
  return [
    ended.replace(/:\d\d\.\d+Z$/, "Z"),
    job,
    project ?? "-",
    tree ?? image ?? "-",
    code === null || outcome !== "failed" ? outcome : `${outcome}:${code}`,
    formatDuration(durationOf(record)),
    prepare === undefined ? "-" : formatDuration(prepare),
    cpu === null ? "-" : formatDuration(cpu / 1000),
    memoryPeak === null ? "-" : formatSize(memoryPeak),
  ].map((cell) => printable(cell).replaceAll(/\s/g, ""));
}
