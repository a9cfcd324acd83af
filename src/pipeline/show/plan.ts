/** Formats what a pipeline would run. */

import { formatDuration } from "../../text/duration.ts";
import { printableJson } from "../../text/json.ts";
import { printable } from "../../text/printable.ts";
import { formatTable } from "../../text/table.ts";
import type { Pipeline, PipelineJob } from "../model.ts";

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
  const jobs = inOrder(pipeline).map(({ name, stage, when, allowFailure, image, needs }) => ({
    ...{ name, stage, when, allow_failure: allowFailure },
    ...{ image: image?.name ?? null, needs: needs?.map((need) => need.job) ?? null },
  }));
  return printableJson({ jobs, warnings: pipeline.warnings });
}

function inOrder({ stages, jobs }: Pipeline): readonly PipelineJob[] {
  return jobs.toSorted((one, other) => stages.indexOf(one.stage) - stages.indexOf(other.stage));
}

function whenOf({ when, startIn, allowFailure }: PipelineJob): string {
  const delay = when === "delayed" ? ` by ${formatDuration(startIn * 1000)}` : "";
  return `${when}${delay}${allowFailure === false ? "" : ", may fail"}`;
}

function indented(command: string): string {
  return command.trimEnd().split("\n").map((line) => `    ${line}\n`).join("");
}
