/** Jobs of pipelines for unit tests. */

import { type JobVariables, variablesOf } from "../../../../src/pipeline/job/variables.ts";
import type { JobVariable, PipelineJob } from "../../../../src/pipeline/model.ts";

/** A job without anything. */
export const JOB: PipelineJob = {
  name: "build: [x, ü]",
  key: "build",
  stage: "test",
  when: "on_success",
  startIn: 0,
  allowFailure: false,
  needs: null,
  dependencies: null,
  image: null,
  services: [],
  variables: {},
  preGetSources: [],
  beforeScript: [],
  script: [],
  afterScript: [],
  caches: [],
  artifacts: null,
  timeout: 3600,
  retry: { max: 0, when: [], exitCodes: [] },
  interruptible: false,
  resourceGroup: null,
  node: null,
  environment: null,
};

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
