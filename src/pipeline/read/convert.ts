/** Makes a pipeline of what gitlab-ci-local expanded. */

import { refused } from "../../failure.ts";
import { DEFAULT_TIMEOUT, type Pipeline, type PipelineJob, type Retry } from "../model.ts";
import { artifactsOf, cachesOf, imageOf, servicesOf } from "./convert_parts.ts";
import { Field } from "./field.ts";
import { type ExpandedJob, expandedJob } from "./expanded_job.ts";
import { indexJobs, isTrigger, type JobIndex, needsOf, refuseCircles } from "./needs.ts";
import type { ExpandedPipeline } from "./request.ts";
import { secondsOf } from "./seconds.ts";
import { unsupported } from "./unsupported.ts";

/** More than any pipeline has, and few enough to compare each with all others. */
const MAX_JOBS = 10_000;

/**
 * Returns the pipeline.
 *
 * @throws {Failure} `refused` for a value of the wrong type.
 */
export function pipelineOf(answer: ExpandedPipeline): Pipeline {
  if (answer.jobs.length > MAX_JOBS) {
    throw refused(`Cannot read the pipeline: it has more than ${MAX_JOBS} jobs`, "Split it");
  }
  const all = answer.jobs.map(expandedJob);
  const jobs = all.filter((job) => !isTrigger(job));
  refuseRepeated(jobs);
  const index = indexJobs(all);
  const stages = new Field(answer.stages, "the file", ["stages"]).texts();
  const converted = jobs.map((job) => convert(job, index));
  refuseCircles(converted);
  return {
    stages: [".pre", ...stages.filter((stage) => !/^\.(?:pre|post)$/.test(stage)), ".post"],
    jobs: converted,
    warnings: [...answer.warnings, ...unsupported(all)],
  };
}

function refuseRepeated(jobs: readonly ExpandedJob[]): void {
  const names = new Set<string>();
  for (const { name } of jobs) {
    if (names.has(name)) {
      throw refused(`Cannot read the pipeline: two jobs have the name ${JSON.stringify(name)}`);
    }
    names.add(name);
  }
}

function convert(job: ExpandedJob, index: JobIndex): PipelineJob {
  const { name, key, when, data, rule, globals, matrix } = job;
  const siblings = index.get(key)!.filter((other) => other.key === key);
  const dependencies = data.get("dependencies");
  const startIn = rule.get("start_in").isUnset ? data.get("start_in") : rule.get("start_in");
  return {
    name,
    key,
    stage: data.get("stage").isUnset ? "test" : data.get("stage").text(),
    when,
    startIn: when === "delayed" ? seconds(startIn, 0) : 0,
    allowFailure: allowFailureOf(job),
    needs: needsOf(job, index),
    dependencies: dependencies.isUnset ? null : dependencies.texts(),
    image: data.get("image").isUnset ? null : imageOf(data.get("image")),
    services: servicesOf(data.get("services")),
    variables: {
      ...globals.variables(),
      ...data.get("variables").variables(),
      ...matrix.variables(),
      ...rule.get("variables").variables(),
    },
    preGetSources: data.get("hooks").get("pre_get_sources_script").texts(),
    beforeScript: data.get("before_script").texts(),
    script: data.get("script").texts(),
    afterScript: data.get("after_script").texts(),
    caches: cachesOf(data.get("cache")),
    artifacts: artifactsOf(data.get("artifacts")),
    timeout: seconds(data.get("timeout"), DEFAULT_TIMEOUT),
    retry: retryOf(data.get("retry")),
    node: data.get("parallel").isUnset
      ? null
      : { index: siblings.indexOf(job) + 1, total: siblings.length },
    interruptible: data.get("interruptible").flag(true),
    resourceGroup: resourceGroupOf(data.get("resource_group")),
    environment: environmentOf(data.get("environment")),
  };
}

function seconds(field: Field, standard: number): number {
  if (field.isUnset) return standard;
  return secondsOf(field.text()) ?? field.refuse("a span of time, such as 1h 30m");
}

/** Without rules, `when: manual` alone makes a job that may fail. */
function allowFailureOf({ data, when, allowFailure }: ExpandedJob): PipelineJob["allowFailure"] {
  if (allowFailure.isMapping) {
    return allowFailure.get("exit_codes").items().map((code) => code.count(0));
  }
  if (data.get("rules").isUnset && data.get("allow_failure").isUnset) return when === "manual";
  return allowFailure.flag(false);
}

function retryOf(field: Field): Retry {
  if (!field.isMapping) return { max: field.count(0), when: ["always"], exitCodes: [] };
  const when = field.get("when").texts();
  const exitCodes = field.get("exit_codes").items().map((code) => code.count(0));
  return {
    max: field.get("max").count(0),
    // With exit codes alone, no other failure is repeated.
    when: when.length === 0 && exitCodes.length === 0 ? ["always"] : when,
    exitCodes,
  };
}

function resourceGroupOf(field: Field): string | null {
  return field.isUnset ? null : field.text();
}

function environmentOf(field: Field): PipelineJob["environment"] {
  if (field.isUnset) return null;
  if (!field.isMapping) return { name: field.text(), url: "" };
  const [name, url] = [field.get("name"), field.get("url")];
  return name.isUnset ? null : { name: name.text(), url: url.isUnset ? "" : url.text() };
}
