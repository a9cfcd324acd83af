/** The keywords that have no effect here, for the warnings of a pipeline. */

import type { ExpandedJob } from "./expanded_job.ts";
import { isInPipeline, isTrigger } from "./needs.ts";

/** A keyword, and what a job does without it. */
interface Unsupported {
  readonly keyword: string;
  readonly instead: string;
  /** Whether a job uses it. */
  readonly isUsed: (job: ExpandedJob) => boolean;
}

const sets = (...keys: readonly string[]) => ({ data }: ExpandedJob): boolean => data.has(...keys);

const hasItem = (list: string, ...keys: readonly string[]) => ({ data }: ExpandedJob): boolean =>
  data.get(list).items().some((item) => item.has(...keys));

/** In the order of the warnings; docs/pipeline.md has the same table. */
export const UNSUPPORTED: readonly Unsupported[] = [
  { keyword: "trigger", instead: "the job is left out", isUsed: isTrigger },
  {
    keyword: "only:kubernetes and except:kubernetes",
    instead: "there is no cluster, and they have no effect",
    isUsed: (job) => sets("only", "kubernetes")(job) || sets("except", "kubernetes")(job),
  },
  { keyword: "run", instead: "the job runs its script alone", isUsed: sets("run") },
  { keyword: "tags", instead: "the job runs on this host", isUsed: sets("tags") },
  { keyword: "coverage", instead: "no coverage is reported", isUsed: sets("coverage") },
  {
    keyword: "artifacts:reports",
    instead: "the files are kept, and not read but for dotenv",
    isUsed: ({ data }) =>
      data.get("artifacts").get("reports").entries().some(([kind]) => kind !== "dotenv"),
  },
  { keyword: "release", instead: "no release is created", isUsed: sets("release") },
  {
    keyword: "pages",
    instead: "nothing is published",
    isUsed: (job) => job.name === "pages" || sets("pages")(job),
  },
  { keyword: "secrets", instead: "the variables are not set", isUsed: sets("secrets") },
  { keyword: "id_tokens", instead: "the variables are not set", isUsed: sets("id_tokens") },
  { keyword: "identity", instead: "the job has no identity", isUsed: sets("identity") },
  {
    keyword: "dast_configuration",
    instead: "the profiles are not read",
    isUsed: sets("dast_configuration"),
  },
  {
    keyword: "manual_confirmation",
    instead: "nobody is asked",
    isUsed: sets("manual_confirmation"),
  },
  {
    keyword: "environment",
    instead: "nothing is recorded of the deployment",
    isUsed: (job) =>
      ["on_stop", "action", "auto_stop_in", "kubernetes"].some((key) =>
        sets("environment", key)(job)
      ),
  },
  {
    keyword: "needs:project and needs:pipeline",
    instead: "the job gets no artifacts of other pipelines",
    isUsed: ({ data }) => !data.get("needs").items().every(isInPipeline),
  },
  {
    keyword: "image:kubernetes",
    instead: "it has no effect",
    isUsed: sets("image", "kubernetes"),
  },
  {
    keyword: "services:kubernetes",
    instead: "it has no effect",
    isUsed: hasItem("services", "kubernetes"),
  },
  {
    keyword: "cache:key:files_commits",
    instead: "the key is the same for all commits",
    isUsed: hasItem("cache", "key", "files_commits"),
  },
  {
    keyword: "rules:exists:project",
    instead: "the files of this working copy are looked for",
    isUsed: hasItem("rules", "exists", "project"),
  },
  {
    keyword: "rules:changes:compare_to",
    instead: "changes are those since the default branch",
    isUsed: hasItem("rules", "changes", "compare_to"),
  },
];

/** Returns one line for each keyword that has no effect here, with the jobs that use it. */
export function unsupported(jobs: readonly ExpandedJob[]): string[] {
  return UNSUPPORTED.flatMap(({ keyword, instead, isUsed }) => {
    const keys = [...new Set(jobs.filter(isUsed).map(({ key }) => JSON.stringify(key)))];
    if (keys.length === 0) return [];
    const others = keys.length > MAX_NAMES ? ` and ${keys.length - MAX_NAMES} more` : "";
    const names = `${keys.slice(0, MAX_NAMES).join(", ")}${others}`;
    return [`${keyword} is not supported: ${instead} (${names})`];
  });
}

/** The most jobs that a warning names. */
const MAX_NAMES = 5;
