/** Jobs: GitLab's response to the runner, and the variables of the scripts. */

import { ansiQuote } from "./runner.ts";

/** A service of a job, in GitLab's field names. */
export interface ServicePlan {
  readonly name: string;
  readonly alias?: string;
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly variables?: Readonly<Record<string, string>>;
  readonly pull_policy?: readonly string[];
  readonly executor_opts?: { readonly docker: Readonly<Record<string, string>> };
}

/** A job. */
export interface JobPlan {
  readonly id: number;
  /** Empty if the job has no image. */
  readonly image: string;
  /** Variables of the job, which take precedence over GitLab's own for the driver. */
  readonly overrides?: Readonly<Record<string, string>>;
  /** The id of GitLab's server. */
  readonly instance?: string;
  readonly project?: number;
  /** Whether its branch or tag is protected; undefined if GitLab does not send it. */
  readonly isProtected?: boolean | undefined;
  /** GitLab's own variable CI_COMMIT_REF_PROTECTED. */
  readonly refProtected?: "true" | "false";
  /** Seconds. */
  readonly timeout?: number;
  readonly services?: readonly ServicePlan[];
  /** Variables that only the job may have, such as those of a project's settings. */
  readonly privateVariables?: Readonly<Record<string, string>>;
  /** Values of `secrets:`, by variable; GitLab's response says only where GitLab Runner finds them. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** Template of GitLab Runner's folder for the job, with XXXXXX at the end. */
  readonly folder?: string;
  /** What the job says of its image, in GitLab's field names. */
  readonly imageOptions?: {
    readonly entrypoint?: readonly string[];
    readonly pull_policy?: readonly string[];
    readonly executor_opts?: { readonly docker: Readonly<Record<string, string>> };
  };
  /** `USER:PASSWORD` by the address of a registry, from GitLab. */
  readonly credentials?: Readonly<Record<string, string>>;
  /** The variable DOCKER_AUTH_CONFIG. */
  readonly dockerAuthConfig?: string;
  /** Paths that are kept for later jobs. */
  readonly artifacts?: readonly string[];
  readonly cache?: readonly string[];
}

/** A secret of the response file, which must be nowhere else. */
export const REGISTRY_PASSWORD = "EXAMPLE-REGISTRY-PASSWORD";

/** Returns GitLab's response with the job, the contents of JOB_RESPONSE_FILE. */
export function responseOf(plan: JobPlan): unknown {
  return {
    id: plan.id,
    token: "glcbt-EXAMPLE-TOKEN",
    allow_git_fetch: true,
    job_info: {
      name: "job [1/2]: ünï",
      stage: "test",
      project_id: plan.project ?? 42,
      project_name: "project",
      project_full_path: "group/project",
      instance_uuid: plan.instance ?? "00000000-0000-4000-8000-00000000000a",
    },
    git_info: {
      repo_url: "https://gitlab-ci-token:glcbt-EXAMPLE-TOKEN@gitlab.example/group/project.git",
      ref: "main",
      depth: 20,
      ...("isProtected" in plan ? { protected: plan.isProtected } : { protected: true }),
    },
    runner_info: { timeout: plan.timeout ?? 3600 },
    inputs: {},
    variables: [
      { key: "CI_JOB_ID", value: `${plan.id}`, public: true, file: false, masked: false },
      { key: "CI_JOB_TOKEN", value: "glcbt-EXAMPLE-TOKEN", public: false, masked: true },
      { key: "CI_SERVER_URL", value: "https://gitlab.example", public: true, file: false },
      { key: "CONF_FILE", value: "the contents of a file\n", public: false, file: true },
      ...(plan.refProtected === undefined
        ? []
        : [{ key: "CI_COMMIT_REF_PROTECTED", value: plan.refProtected, public: true }]),
      ...(plan.dockerAuthConfig === undefined
        ? []
        : [{ key: "DOCKER_AUTH_CONFIG", value: plan.dockerAuthConfig, public: false }]),
      ...variablesIn(plan.overrides, true),
      ...variablesIn(plan.privateVariables, false),
    ],
    ...(plan.secrets === undefined ? {} : { secrets: secretsOf(plan.secrets) }),
    steps: [{ name: "script", script: ["make"], timeout: 3600, when: "on_success" }],
    image: {
      name: plan.image,
      executor_opts: NO_OPTIONS,
      ...plan.imageOptions,
    },
    services: (plan.services ?? []).map(({ variables, ...service }) => ({
      executor_opts: NO_OPTIONS,
      ...service,
      ...(variables === undefined ? {} : { variables: variablesIn(variables, true) }),
    })),
    artifacts: (plan.artifacts ?? []).map((path) => ({ name: "default", paths: [path] })),
    cache: (plan.cache ?? []).map((path) => ({ key: "default", paths: [path] })),
    credentials: [
      { type: "registry", url: "registry.example", username: "x", password: REGISTRY_PASSWORD },
      ...Object.entries(plan.credentials ?? {}).map(([url, login]) => {
        const [username, password] = login.split(":");
        return { type: "registry", url, username, password };
      }),
    ],
    dependencies: [],
    features: { trace_sections: true },
    hooks: [],
    policy_options: { execution_policy_job: false },
  };
}

/** What GitLab sends where a job has no options for the executor. */
const NO_OPTIONS = { docker: { platform: "", user: "" }, kubernetes: { user: "" } };

function variablesIn(values: Readonly<Record<string, string>> = {}, isPublic: boolean) {
  return Object.entries(values).map(([key, value]) => ({ key, value, public: isPublic }));
}

function secretsOf(secrets: Readonly<Record<string, string>>) {
  const vault = { path: "production/db", field: "password", engine: { name: "kv-v2", path: "kv" } };
  return Object.fromEntries(Object.keys(secrets).map((key) => [key, { vault, file: false }]));
}

/** Returns the beginning of every script, in bash, which sets the job's variables. `builds` is the builds folder. */
export function variablesOf(plan: JobPlan, builds: string): string {
  const temporary = `${builds}/group/project.tmp`;
  const values: Record<string, string> = {
    CI: "true",
    CI_BUILDS_DIR: builds,
    CI_JOB_ID: `${plan.id}`,
    CI_JOB_NAME: "job [1/2]: ünï",
    CI_JOB_TOKEN: "glcbt-EXAMPLE-TOKEN",
    CI_PROJECT_DIR: `${builds}/group/project`,
    CI_COMMIT_MESSAGE: "one line\n\nand 'quotes', \"double\" and $dollar\n",
    ODD: 'it\'s "odd" $HOME `x` \\ ü\nsecond line',
    RUNNER_TEMP_PROJECT_DIR: temporary,
    GITLAB_ENV: `${temporary}/gitlab_runner_env`,
    ...plan.overrides,
    ...plan.privateVariables,
    ...plan.secrets,
  };
  const exports = Object.entries(values).map(([name, value]) =>
    `export ${name}=${ansiQuote(value)}\n`
  );
  return `${exports.join("")}mkdir -p "${temporary}"
printf '%s' ${ansiQuote("the contents of a file\n")} > "${temporary}/CONF_FILE"
export CONF_FILE="${temporary}/CONF_FILE"
touch "${temporary}/gitlab_runner_env"
while read -r line; do export "$line"; done < "${temporary}/gitlab_runner_env"
`;
}
