/** Jobs of pipelines for unit tests. */

import { type JobVariables, variablesOf } from "../../../../src/pipeline/job/variables.ts";
import type { JobVariable, PipelineJob } from "../../../../src/pipeline/model.ts";
import { job } from "../run/jobs.ts";

/** A job without anything. */
export const JOB: PipelineJob = job("build: [x, ü]", "test", {
  key: "build",
  script: [],
  retry: { max: 0, when: [], exitCodes: [] },
  interruptible: false,
});

/** Returns the variables of a job that has these in the file. */
export function variablesFor(
  variables: Readonly<Record<string, string>>,
  given: readonly JobVariable[] = [],
  buildsDir = "/builds",
): JobVariables {
  return variablesOf({
    id: 7,
    job: { ...JOB, variables },
    pipeline: { CI_PROJECT_PATH: "group/project" },
    given,
    began: 0,
    buildsDir,
  });
}
