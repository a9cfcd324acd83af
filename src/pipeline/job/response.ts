/** What an executor gets of a job of a pipeline. */

import { type RunnerJob, shortServices } from "../../gitlab/runner_job.ts";
import type { Commit, JobVariable, PipelineImage, PipelineJob, PipelineService } from "../model.ts";
import type { Archiver } from "./archives.ts";
import type { JobVariables } from "./variables.ts";

/** What the response is made of. */
export interface ResponseSources {
  readonly id: number;
  readonly job: PipelineJob;
  readonly commit: Commit;
  readonly variables: JobVariables;
  /** Those that did not come from the file or from GitLab; services do not get them. */
  readonly given: readonly JobVariable[];
  readonly archiver: Archiver;
  /** Whether it gets archives. */
  readonly getsArchives: boolean;
}

/** Returns what an executor gets of a job. */
export function runnerJob(sources: ResponseSources): RunnerJob {
  const { variables, job } = sources;
  const image = job.image === null ? null : expandedImage(job.image, variables);
  const services = job.services.map((service) => expandedService(service, variables));
  return {
    response: {
      ...factsOf(sources),
      image: image ?? { name: "" },
      services,
      ...(sources.archiver === "tar" ? {} : archivesOf(sources)),
    },
    variables: {
      ...environmentOf(variables),
      ...(image === null ? {} : { CI_JOB_IMAGE: image.name }),
      CI_JOB_SERVICES: shortServices(services),
    },
  };
}

/** Keeps the machines of pipelines apart from those of jobs of a server with the same id. */
const INSTANCE = "nspawn-runner pipeline";

function factsOf({ id, job, commit, variables, given }: ResponseSources) {
  const secrets = new Set(given.map(({ key }) => key));
  return {
    id,
    token: "",
    job_info: {
      name: job.name,
      stage: job.stage,
      project_name: variables.get("CI_PROJECT_NAME"),
      project_full_path: variables.get("CI_PROJECT_PATH"),
      instance_uuid: INSTANCE,
    },
    git_info: {
      repo_url: variables.get("CI_REPOSITORY_URL"),
      ref: commit.tag ?? commit.branch,
      ref_type: commit.tag === null ? "branch" : "tag",
      sha: commit.sha,
      protected: false,
    },
    runner_info: { timeout: job.timeout },
    variables: variables.all.map(({ key, value, file }) => ({
      key,
      value,
      public: !secrets.has(key),
      masked: false,
      file: file ?? false,
      raw: true,
    })),
  };
}

/** An executor looks whether there are any: then gitlab-runner has to run in the machine. */
function archivesOf({ job, getsArchives }: ResponseSources) {
  return {
    artifacts: job.artifacts === null ? [] : [{}],
    cache: job.caches.map(() => ({})),
    dependencies: getsArchives ? [{ artifacts_file: { filename: "artifacts.zip" } }] : [],
  };
}

function expandedImage<T extends PipelineImage>(image: T, { expand }: JobVariables) {
  const { docker, ...others } = image;
  const { user, platform } = docker ?? {};
  return {
    ...others,
    name: expand(image.name),
    executor_opts: {
      docker: { user: expand(user ?? ""), platform: expand(platform ?? "") },
    },
  };
}

function expandedService(service: PipelineService, variables: JobVariables) {
  const { alias, ...image } = expandedImage(service, variables);
  return {
    ...image,
    ...(alias === undefined ? {} : { alias: variables.expand(alias) }),
    variables: Object.entries(service.variables ?? {}).map(([key, value]) => ({
      ...{ key, value, public: true, masked: false, file: false, raw: false },
    })),
  };
}

/** execve(2) fails with a longer one. */
const LONGEST_VALUE = 100_000;

function environmentOf({ all }: JobVariables): Record<string, string> {
  const fitting = all.filter(({ value }) =>
    new TextEncoder().encode(value).length <= LONGEST_VALUE && !value.includes("\0")
  );
  return Object.fromEntries(fitting.map(({ key, value }) => [key, value]));
}
