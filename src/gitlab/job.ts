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
}

/**
 * The job of this call. The response file is the trusted copy: a job may override every variable of
 * the environment, so those serve only where there is no such file (GitLab Runner before 14.1, and
 * calls by hand).
 *
 * @param host The outside.
 * @returns Null where nobody plays GitLab.
 * @throws {Failure} of the host where the response file is none.
 */
export async function readJob(host: Host): Promise<Job | null> {
  const path = host.env("JOB_RESPONSE_FILE");
  const text = path ? await host.files.read(path) : null;
  return text === null ? jobOfEnvironment(host) : jobOfResponse(text);
}

function jobOfEnvironment(host: Host): Job | null {
  const id = host.env("CUSTOM_ENV_CI_JOB_ID");
  if (!id) return null;
  return {
    id,
    image: host.env("CUSTOM_ENV_CI_JOB_IMAGE") || undefined,
    server: host.env("CUSTOM_ENV_CI_SERVER_URL") || undefined,
  };
}

/** The parts that are used of what GitLab answers to a runner's request for a job. */
interface Response {
  readonly id?: unknown;
  readonly image?: { readonly name?: unknown } | null;
  readonly job_info?: { readonly instance_uuid?: unknown } | null;
  readonly git_info?: { readonly repo_url?: unknown } | null;
  readonly variables?: readonly { readonly key?: unknown; readonly value?: unknown }[] | null;
}

function jobOfResponse(text: string): Job {
  const response = parse(text);
  const id = typeof response.id === "number" ? String(response.id) : "";
  if (!/^[0-9]+$/.test(id)) throw unreadable();
  return {
    id,
    image: textOf(response.image?.name),
    server: textOf(response.job_info?.instance_uuid) ?? serverUrl(response) ??
      originOf(textOf(response.git_info?.repo_url)),
  };
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

function parse(text: string): Response {
  try {
    const response: unknown = JSON.parse(text);
    if (typeof response === "object" && response !== null) return response;
  } catch {
    // What the parser says would quote the file, which holds tokens.
  }
  throw unreadable();
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
