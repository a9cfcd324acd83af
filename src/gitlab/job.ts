/** The job that GitLab Runner asks for: read once, and all that the rest knows of GitLab. */

import { hostFailure } from "../failure.ts";
import type { Host } from "../host/host.ts";

/** One job. */
export interface Job {
  /** Unique for its server alone. */
  readonly id: string;
  /** What the job itself names; undefined when it names none. */
  readonly image: string | undefined;
  /** What tells its server from others. */
  readonly server: string | undefined;
  /** Where its repository is, without anything secret; undefined where nobody trustworthy tells. */
  readonly url: string | undefined;
  /** Its project's id, unique for its server alone; undefined where nobody trustworthy tells. */
  readonly project: string | undefined;
  /** Whether it runs for a protected branch or tag. */
  readonly isProtected: boolean;
  /** Seconds after which GitLab Runner gives it up. */
  readonly timeout: number | undefined;
  /** Images of the services that it declares. */
  readonly services: readonly string[];
  /** Its own variables whose names begin with NSPAWN_. */
  readonly overrides: Readonly<Record<string, string>>;
  /** Whether artifacts or a cache go in or out, for which its scripts call gitlab-runner. */
  readonly movesFiles: boolean;
}

/**
 * The job of this call. The response file is the trusted copy: a job may override every variable of
 * the environment, so those serve only where nobody names such a file (GitLab Runner before 14.1, and
 * calls by hand).
 *
 * @param host The outside.
 * @returns Null where nobody plays GitLab.
 * @throws {Failure} of the host where the response file is none.
 */
export async function readJob(host: Host): Promise<Job | null> {
  const path = host.env("JOB_RESPONSE_FILE");
  return path ? jobOfResponse(await host.files.read(path) ?? "") : jobOfEnvironment(host);
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
    isProtected: false,
    timeout: undefined,
    services: namesOf(jsonOf(host.env("CUSTOM_ENV_CI_JOB_SERVICES") ?? "")),
    overrides: overridesIn(
      Object.entries(host.environment()).map(([key, value]) => ({
        key: key.replace(/^CUSTOM_ENV_/, ""),
        value,
      })),
    ),
    movesFiles: false,
  };
}

/** The parts that are used of what GitLab answers to a runner's request for a job. */
interface Response {
  readonly id?: unknown;
  readonly image?: { readonly name?: unknown } | null;
  readonly job_info?: { readonly instance_uuid?: unknown; readonly project_id?: unknown } | null;
  readonly git_info?: { readonly repo_url?: unknown; readonly protected?: unknown } | null;
  readonly runner_info?: { readonly timeout?: unknown } | null;
  readonly variables?: readonly { readonly key?: unknown; readonly value?: unknown }[] | null;
  readonly services?: unknown;
  readonly artifacts?: unknown;
  readonly cache?: unknown;
  readonly dependencies?: readonly { readonly artifacts_file?: { readonly filename?: unknown } }[];
}

function jobOfResponse(text: string): Job {
  const response = responseOf(text);
  const id = idOf(response.id);
  if (id === undefined) throw unreadable();
  const { timeout } = response.runner_info ?? {};
  return {
    id,
    image: textOf(response.image?.name),
    server: textOf(response.job_info?.instance_uuid) ?? serverUrl(response) ??
      originOf(textOf(response.git_info?.repo_url)),
    url: originOf(textOf(response.git_info?.repo_url)) ?? originOf(serverUrl(response)),
    project: idOf(response.job_info?.project_id),
    isProtected: response.git_info?.protected === true,
    timeout: typeof timeout === "number" && timeout > 0 ? timeout : undefined,
    services: namesOf(response.services),
    overrides: overridesIn(response.variables ?? []),
    movesFiles: isFilled(response.artifacts) || isFilled(response.cache) ||
      (response.dependencies ?? []).some((one) => textOf(one.artifacts_file?.filename)),
  };
}

/** GitLab's ids are numbers, and become parts of names and paths here. */
function idOf(value: unknown): string | undefined {
  return Number.isSafeInteger(value) && Number(value) >= 0 ? String(value) : undefined;
}

function isFilled(list: unknown): boolean {
  return Array.isArray(list) && list.length > 0;
}

/** The names of services, each an object with a name, or that name itself. */
function namesOf(services: unknown): string[] {
  if (!Array.isArray(services)) return [];
  return services.map((service) => textOf(service?.name) ?? textOf(service))
    .filter((name) => name !== undefined);
}

/** Of a name that is set twice the last one counts, as in the job's script. */
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

/** GitLab's own variables come before the job's: the first of a name is GitLab's. */
function serverUrl(response: Response): string | undefined {
  const variable = response.variables?.find(({ key }) => key === "CI_SERVER_URL");
  return textOf(variable?.value);
}

/** The repository's URL holds a token: only its origin may leave this function. */
function originOf(url: string | undefined): string | undefined {
  return url !== undefined && URL.canParse(url) ? new URL(url).origin : undefined;
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function responseOf(text: string): Response {
  const response = jsonOf(text);
  if (typeof response === "object" && response !== null) return response;
  throw unreadable();
}

/** Undefined where it is none: what the parser says would quote the text, which may hold tokens. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function unreadable(): Error {
  return hostFailure(
    "Cannot read the job: JOB_RESPONSE_FILE is not what GitLab Runner writes",
    "Update GitLab Runner, or unset JOB_RESPONSE_FILE when you call by hand",
  );
}

/**
 * A short name for a server, fit for a machine's name.
 *
 * @param server What tells it from others.
 * @returns Eight hexadecimal digits.
 */
export async function shortHash(server: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(server));
  return [...new Uint8Array(digest).slice(0, 4)]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}
