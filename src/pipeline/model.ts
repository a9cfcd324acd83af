/** A pipeline: what is read from `.gitlab-ci.yml`, and what its jobs get and leave. */

/** The jobs of a pipeline, with everything expanded that GitLab expands before a job starts. */
export interface Pipeline {
  /** In their order, `.pre` and `.post` included. */
  readonly stages: readonly string[];
  readonly jobs: readonly PipelineJob[];
  /** What the file asks for and this program does not do; one line for each. */
  readonly warnings: readonly string[];
}

/** When a job runs, by its `when:` or that of the rule that matched. */
export type When = "on_success" | "on_failure" | "always" | "manual" | "delayed" | "never";

/** One job; `parallel:` has made several of one. */
export interface PipelineJob {
  /** Unique in the pipeline, as GitLab shows it: `build: [x, y]` or `build 1/2` where `parallel:` made it. */
  readonly name: string;
  /** The key in the file. */
  readonly key: string;
  readonly stage: string;
  readonly when: When;
  /** Seconds that a delayed job waits. */
  readonly startIn: number;
  /** True, false, or the exit codes with which it may fail. */
  readonly allowFailure: boolean | readonly number[];
  /** Null where the job waits for all earlier stages. */
  readonly needs: readonly Need[] | null;
  /** Keys or names of jobs whose artifacts it gets; null for those of `needs`, else of all earlier stages. */
  readonly dependencies: readonly string[] | null;
  /** `image:` in GitLab's field names, with variables not expanded; null for none. */
  readonly image: PipelineImage | null;
  /** `services:` in GitLab's field names, with variables not expanded. */
  readonly services: readonly PipelineService[];
  /** Of the file, the job, the matrix and the rule, later ones replacing earlier ones; not expanded. */
  readonly variables: Readonly<Record<string, string>>;
  /** Commands of `hooks:pre_get_sources_script`. */
  readonly preGetSources: readonly string[];
  readonly beforeScript: readonly string[];
  readonly script: readonly string[];
  readonly afterScript: readonly string[];
  readonly caches: readonly PipelineCache[];
  readonly artifacts: PipelineArtifacts | null;
  /** Seconds. */
  readonly timeout: number;
  readonly retry: Retry;
  /** False where the file says `interruptible: false`: the first Ctrl-C lets it end. */
  readonly interruptible: boolean;
  /** Jobs of the same group do not run at once; not expanded. */
  readonly resourceGroup: string | null;
  /** Its number among the jobs that `parallel:` made of one, from 1, and how many these are; null without. */
  readonly node: { readonly index: number; readonly total: number } | null;
  /** `environment:name` and `environment:url`, not expanded. */
  readonly environment: { readonly name: string; readonly url: string } | null;
}

/** A job that another one waits for. */
export interface Need {
  /** A name in the pipeline. */
  readonly job: string;
  readonly artifacts: boolean;
  /** Whether the other job may be missing. */
  readonly optional: boolean;
}

export interface PipelineImage {
  readonly name: string;
  readonly entrypoint?: readonly string[];
  readonly pull_policy?: readonly string[];
  readonly docker?: { readonly user?: string; readonly platform?: string };
}

export interface PipelineService extends PipelineImage {
  readonly alias?: string;
  readonly command?: readonly string[];
  readonly variables?: Readonly<Record<string, string>>;
}

export interface PipelineCache {
  /** A text with variables, or the files whose contents make the key. */
  readonly key: string | { readonly files: readonly string[]; readonly prefix: string };
  readonly fallbackKeys: readonly string[];
  readonly paths: readonly string[];
  readonly untracked: boolean;
  readonly policy: "pull" | "push" | "pull-push";
  readonly when: "on_success" | "on_failure" | "always";
}

export interface PipelineArtifacts {
  readonly paths: readonly string[];
  readonly exclude: readonly string[];
  readonly untracked: boolean;
  readonly when: "on_success" | "on_failure" | "always";
  /** Paths of `artifacts:reports:dotenv`. */
  readonly dotenv: readonly string[];
  /** Paths of all other reports; they are kept as artifacts are. */
  readonly reports: readonly string[];
}

/** The time limit of a job that sets none, that of GitLab's projects, in seconds. */
export const DEFAULT_TIMEOUT = 3600;

export interface Retry {
  /** How often the job is repeated, at most. */
  readonly max: number;
  /** Kinds of failures, such as `script_failure`; `always` for all. */
  readonly when: readonly string[];
  readonly exitCodes: readonly number[];
}

/** A variable that a job gets in addition to those of the file. */
export interface JobVariable {
  readonly key: string;
  readonly value: string;
  /** Whether the job gets the path of a file with the value; default false. */
  readonly file?: boolean;
  /** Whether `$` in the value has no meaning; default false. */
  readonly raw?: boolean;
}

/** The commit of a pipeline. */
export interface Commit {
  readonly sha: string;
  /** Its branch; null where the pipeline is for a tag. */
  readonly branch: string | null;
  readonly tag: string | null;
  readonly tagMessage: string;
  readonly message: string;
  /** `Name <address>`. */
  readonly author: string;
  /** ISO 8601. */
  readonly timestamp: string;
  readonly defaultBranch: string;
  /** Without user and password; null for none. */
  readonly remote: string | null;
  /** Who commits in the working copy, and the name of the user who owns it. */
  readonly user: { readonly name: string; readonly email: string; readonly login: string };
}

/** The sources of a pipeline, as files of this host. */
export interface Snapshot {
  readonly commit: Commit;
  /** Whether files of the working copy differ from the commit, which they replace. */
  readonly changed: boolean;
  /** The root of the working copy. */
  readonly workingCopy: string;
  /**
   * Returns the files that differ from the default branch, for `rules:changes`; null where there are none, or nothing tells
   * which.
   */
  changedFiles(): Promise<readonly string[] | null>;
  /** The user id of its owner. */
  readonly owner: number;
  /** An archive of `.git` and of all files but those of submodules. */
  readonly sources: string;
  /** How many commits `.git` has; 0 for all. */
  readonly depth: number;
  /** An archive of the submodules; null for none. */
  readonly submodules: string | null;
  /** An archive of the submodules of submodules; null for none. */
  readonly nestedSubmodules: string | null;
  /** Submodules without files in the working copy: one line for each. */
  readonly missingSubmodules: readonly string[];
  /** Returns an archive of a `.git` of another depth. */
  history(depth: number): Promise<string>;
  /** Returns a hash of the files that patterns match; null where there are none. */
  hashFiles(patterns: readonly string[]): Promise<string | null>;
}

/** How an attempt of a job ended. */
export interface JobResult {
  /** The id of the job, as `shell` and `history` take it. */
  readonly id: number;
  /** `script` for a script that failed, `timeout`, `system` for a failure of the host, `cancelled` by Ctrl-C. */
  readonly kind: "success" | "script" | "timeout" | "system" | "cancelled";
  /** The exit code of the script; 0 after success, 1 where there is none. */
  readonly code: number;
  readonly seconds: number;
  /** The archive with its artifacts, a file of this host; null for none. */
  readonly artifacts: string | null;
  /** The archive with its other reports than dotenv; null for none. */
  readonly reports: string | null;
  /** Variables of its dotenv reports. */
  readonly dotenv: Readonly<Record<string, string>>;
}
