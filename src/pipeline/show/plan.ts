/** Formats what a pipeline would run. */

import { formatDuration } from "../../text/duration.ts";
import { printableJson } from "../../text/json.ts";
import { printable } from "../../text/printable.ts";
import { formatTable } from "../../text/table.ts";
import { DEFAULT_TIMEOUT, type Pipeline, type PipelineJob } from "../model.ts";

/** Returns a table of the jobs, in the order of their stages. */
export function formatJobs(pipeline: Pipeline): string {
  const rows = inOrder(pipeline).map((job) => [
    job.stage,
    job.name,
    whenOf(job),
    job.image?.name ?? "",
    job.needs === null ? "" : job.needs.map((need) => need.job).join(", ") || "nothing",
  ]);
  return printable(formatTable(["STAGE", "JOB", "WHEN", "IMAGE", "NEEDS"], rows));
}

/** Returns the commands of each job, below a line that describes it. */
export function formatCommands(pipeline: Pipeline): string {
  const jobs = inOrder(pipeline).map((job) => {
    const image = job.image === null ? "" : `, image ${job.image.name}`;
    const services = job.services.map(({ name }) => `, service ${name}`).join("");
    const commands = [...job.beforeScript, ...job.script].map(indented).join("");
    return `${job.stage}: ${job.name}, ${whenOf(job)}${image}${services}\n${commands}`;
  });
  return printable(jobs.join("\n"));
}

/** Returns the jobs as JSON, for `--json`. */
export function jobsAsJson(pipeline: Pipeline): string {
  const jobs = inOrder(pipeline).map(({ name, stage, when, retry, timeout, ...job }) => ({
    ...{ name, stage, when, allow_failure: job.allowFailure, retry: retry.max, timeout },
    ...{ image: job.image?.name ?? null, needs: job.needs?.map((need) => need.job) ?? null },
  }));
  return printableJson({ jobs, warnings: pipeline.warnings });
}

function inOrder({ stages, jobs }: Pipeline): readonly PipelineJob[] {
  return jobs.toSorted((one, other) => stages.indexOf(one.stage) - stages.indexOf(other.stage));
}

function whenOf({ when, startIn, allowFailure, retry, timeout }: PipelineJob): string {
  const delay = when === "delayed" ? ` by ${formatDuration(startIn * 1000)}` : "";
  return [
    `${when}${delay}`,
    ...(allowFailure === false ? [] : ["may fail"]),
    ...(retry.max === 0 ? [] : [`retry ${retry.max}`]),
    ...(timeout === DEFAULT_TIMEOUT ? [] : [`timeout ${timeOf(timeout)}`]),
  ].join(", ");
}

/** Minutes are shown where no seconds would get lost. */
function timeOf(seconds: number): string {
  return seconds % 60 === 0 ? formatDuration(seconds * 1000) : `${seconds} s`;
}

function indented(command: string): string {
  return command.trimEnd().split("\n").map((line) => `    ${line}\n`).join("");
}
