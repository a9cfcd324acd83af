/** Jobs and pipelines for tests. */

import type { JobResult, Pipeline, PipelineJob } from "../../../../src/pipeline/model.ts";

/** Returns a job that has what a test does not say by default. */
export function job(name: string, stage: string, own: Partial<PipelineJob> = {}): PipelineJob {
  return {
    name,
    key: name,
    stage,
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
    script: ["true"],
    afterScript: [],
    caches: [],
    artifacts: null,
    timeout: 3600,
    retry: { max: 0, when: ["always"], exitCodes: [] },
    interruptible: true,
    resourceGroup: null,
    node: null,
    environment: null,
    ...own,
  };
}

/** Returns a need of a job. */
export function need(name: string, own: { artifacts?: boolean; optional?: boolean } = {}) {
  return { job: name, artifacts: true, optional: false, ...own };
}

/** Returns a pipeline with the stages of its jobs in their order. */
export function pipelineOf(...jobs: PipelineJob[]): Pipeline {
  return { stages: [...new Set(jobs.map(({ stage }) => stage))], jobs, warnings: [] };
}

/** Returns how an attempt ended: `success`, or a failure. */
export function result(kind: JobResult["kind"], code = kind === "success" ? 0 : 1): JobResult {
  return { id: 1, kind, code, seconds: 1, artifacts: null, reports: null, dotenv: {} };
}
