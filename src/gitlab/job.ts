/** The job of this call, as GitLab Runner describes it in a file and in the environment. */

import { hostFailure } from "../failure.ts";
import type { Host } from "../host/host.ts";
import { textOf } from "./fields.ts";
import { type ImageField, type ImageOptions, parseImageOptions } from "./image_options.ts";
import { type JobService, parseServices } from "./job_services.ts";

/** One job. */
export interface Job {
  /** Unique on its GitLab server only. */
  readonly id: string;
  /** The `image:` of the job; undefined for none. */
  readonly image: string | undefined;
  /** An id or a URL of its GitLab server. */
  readonly server: string | undefined;
  /** The origin of its repository's URL, without token; undefined if no trusted source names it. */
  readonly url: string | undefined;
  /** Its project's id, unique on its server only; undefined if no trusted source names it. */
  readonly project: string | undefined;
  /** The path of its project; undefined if no trusted source names it. */
  readonly projectPath: string | undefined;
  /** Its branch or tag, or the ref of its merge request. */
  readonly ref: string;
  /** Undefined if no trusted source tells. */
  readonly refKind: RefKind | undefined;
  /** Whether its branch or tag is protected; undefined where GitLab does not tell. */
  readonly isProtected: boolean | undefined;
  /** Seconds after which GitLab Runner ends it. */
  readonly timeout: number | undefined;
  /** Its `services:`, in their order. */
  readonly services: readonly JobService[];
  /** Its own variables whose names begin with NSPAWN_. */
  readonly overrides: Readonly<Record<string, string>>;
  /** Whether it has artifacts or a cache, for which its scripts call gitlab-runner. */
  readonly movesFiles: boolean;
  /** What it asks for with its image. */
  readonly imageOptions: ImageOptions;
  /** Its credentials for GitLab's own registries. */
  readonly credentials: readonly RegistryLogin[];
  /** Its credentials for other registries, as Docker's JSON. It contains secrets. */
  readonly dockerAuthConfig: string | undefined;
}

/** What a job runs for. */
export type RefKind = "branch" | "tag" | "merge request";

/** A user and a password for a registry. It contains secrets. */
export interface RegistryLogin {
  /** The registry's host, with a port where it has one. */
  readonly url: string;
  readonly username: string;
  readonly password: string;
}

/**
 * Reads the job of this call. The response file is trusted. A job can override each variable of the environment,
 * so that these are read only without such a file: GitLab Runner before 14.1, and calls by hand.
 *
 * @returns Null for a call without a job.
 * @throws {Failure} of kind `host` if the response file cannot be read.
 */
export async function readJob(host: Host): Promise<Job | null> {
  const path = host.env("JOB_RESPONSE_FILE");
  return path ? jobOfResponse(host, await host.files.read(path) ?? "") : jobOfEnvironment(host);
}

function jobOfEnvironment(host: Host): Job | null {
  const id = host.env("CUSTOM_ENV_CI_JOB_ID");
  if (!id) return null;
  return {
    id,
    image: host.env("CUSTOM_ENV_CI_JOB_IMAGE") || undefined,
    server: host.env("CUSTOM_ENV_CI_SERVER_URL") || undefined,
    url: undefined,
    project: undefined,
    projectPath: undefined,
    ref: host.env("CUSTOM_ENV_CI_COMMIT_REF_NAME") ?? "",
    refKind: undefined,
    isProtected: undefined,
    timeout: undefined,
    services: parseServices(jsonOf(host.env("CUSTOM_ENV_CI_JOB_SERVICES") ?? "")),
    overrides: overridesIn(
      Object.entries(host.environment()).map(([key, value]) => ({
        key: key.replace(/^CUSTOM_ENV_/, ""),
        value,
      })),
    ),
    movesFiles: false,
    imageOptions: parseImageOptions(null),
    credentials: [],
    dockerAuthConfig: host.env(AUTH_VARIABLE) || undefined,
  };
}

/** The fields of GitLab's answer to a runner's request for a job that are read here. */
interface JobResponse {
  readonly id?: unknown;
  readonly image?: ImageField | null;
  readonly job_info?: {
    readonly instance_uuid?: unknown;
    readonly project_id?: unknown;
    readonly project_full_path?: unknown;
  } | null;
  readonly git_info?: {
    readonly repo_url?: unknown;
    readonly ref?: unknown;
    readonly ref_type?: unknown;
    readonly protected?: unknown;
  } | null;
  readonly runner_info?: { readonly timeout?: unknown } | null;
  readonly variables?: readonly VariableField[] | null;
  readonly credentials?: unknown;
  readonly services?: unknown;
  readonly artifacts?: unknown;
  readonly cache?: unknown;
  readonly dependencies?: readonly { readonly artifacts_file?: { readonly filename?: unknown } }[];
}

interface VariableField {
  readonly key?: unknown;
  readonly value?: unknown;
  readonly file?: unknown;
}

function jobOfResponse(host: Host, text: string): Job {
  const response = responseOf(text);
  const id = idOf(response.id);
  if (id === undefined) throw unreadableJob();
  const { timeout } = response.runner_info ?? {};
  return {
    id,
    image: textOf(response.image?.name),
    server: textOf(response.job_info?.instance_uuid) ?? serverUrl(response) ??
      originOf(textOf(response.git_info?.repo_url)),
    url: originOf(textOf(response.git_info?.repo_url)) ?? originOf(serverUrl(response)),
    project: idOf(response.job_info?.project_id),
    projectPath: projectPathOf(response),
    ref: textOf(response.git_info?.ref) ?? "",
    refKind: refKindOf(response),
    isProtected: protectionOf(response),
    timeout: typeof timeout === "number" && timeout > 0 ? timeout : undefined,
    services: parseServices(response.services),
    overrides: overridesIn(response.variables ?? []),
    movesFiles: isNonEmptyList(response.artifacts) || isNonEmptyList(response.cache) ||
      (response.dependencies ?? []).some((one) => textOf(one.artifacts_file?.filename)),
    imageOptions: parseImageOptions(response.image),
    credentials: loginsOf(response.credentials),
    dockerAuthConfig: dockerAuthConfigOf(host, response.variables ?? []),
  };
}

function loginsOf(credentials: unknown): RegistryLogin[] {
  if (!Array.isArray(credentials)) return [];
  return credentials.flatMap((one) => {
    const [url, username, password] = [one?.url, one?.username, one?.password].map(textOf);
    const isComplete = url !== undefined && username !== undefined && password !== undefined;
    return one?.type === "registry" && isComplete ? [{ url, username, password }] : [];
  });
}

const AUTH_VARIABLE = "CUSTOM_ENV_DOCKER_AUTH_CONFIG";

/**
 * The environment has the variable's value with other variables expanded, and also one that config.toml of GitLab Runner
 * sets. Of a variable of type file it has only a path in the machine.
 */
function dockerAuthConfigOf(
  host: Host,
  variables: readonly (VariableField | null)[],
): string | undefined {
  const own = variables.findLast((variable) => variable?.key === "DOCKER_AUTH_CONFIG");
  const value = textOf(own?.value);
  return own?.file === true ? value : host.env(AUTH_VARIABLE) || value;
}

/** Returns an id that is safe in names and paths: GitLab's ids are numbers. */
function idOf(value: unknown): string | undefined {
  return Number.isSafeInteger(value) && Number(value) >= 0 ? String(value) : undefined;
}

function isNonEmptyList(list: unknown): boolean {
  return Array.isArray(list) && list.length > 0;
}

/** Returns the NSPAWN_… variables; of a name that is set twice the last value counts, as in the job's script. */
function overridesIn(
  variables: readonly ({ readonly key?: unknown; readonly value?: unknown } | null)[],
): Record<string, string> {
  const overrides: Record<string, string> = {};
  for (const variable of variables) {
    const name = textOf(variable?.key);
    const value = variable?.value;
    if (name?.startsWith("NSPAWN_") && typeof value === "string") overrides[name] = value;
  }
  return overrides;
}

/**
 * GitLab 18.3 and GitLab Runner 18.3 added the field; before, a variable tells: IsProtected() in common/spec/job.go. A
 * job can set a variable of that name in addition to GitLab's, so that one `false` among them counts.
 */
function protectionOf({ git_info, variables }: JobResponse): boolean | undefined {
  if (typeof git_info?.protected === "boolean") return git_info.protected;
  const values = (variables ?? []).filter((one) => one?.key === "CI_COMMIT_REF_PROTECTED")
    .map(({ value }) => value);
  return values.length === 0 ? undefined : values.every((value) => value === "true");
}

function serverUrl(response: JobResponse): string | undefined {
  return ownVariable(response, "CI_SERVER_URL");
}

/** GitLab's own variables precede the job's: the first of a name is GitLab's. */
function ownVariable({ variables }: JobResponse, name: string): string | undefined {
  return textOf(variables?.find((variable) => variable?.key === name)?.value);
}

/** Earlier releases of GitLab send the path as a variable alone. */
function projectPathOf(response: JobResponse): string | undefined {
  const path = textOf(response.job_info?.project_full_path) ??
    ownVariable(response, "CI_PROJECT_PATH");
  return path !== undefined && /^[\w.-]+(?:\/[\w.-]+)+$/.test(path) ? path : undefined;
}

/** GitLab calls the ref of a merge request a branch. */
function refKindOf({ git_info }: JobResponse): RefKind | undefined {
  if (textOf(git_info?.ref)?.startsWith("refs/merge-requests/")) return "merge request";
  const type = git_info?.ref_type;
  return type === "branch" || type === "tag" ? type : undefined;
}

/** Returns the origin of a URL: the repository's URL contains a token, which must not leave this function. */
function originOf(url: string | undefined): string | undefined {
  return url !== undefined && URL.canParse(url) ? new URL(url).origin : undefined;
}

function responseOf(text: string): JobResponse {
  const response = jsonOf(text);
  if (typeof response === "object" && response !== null) return response;
  throw unreadableJob();
}

/** Returns undefined for invalid JSON: the parser's message would quote the text, which may contain tokens. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function unreadableJob(): Error {
  return hostFailure(
    "Cannot read the job: JOB_RESPONSE_FILE is not what GitLab Runner writes",
    "Update GitLab Runner, or unset JOB_RESPONSE_FILE for a call by hand",
  );
}
