/**
 * Finds the credentials for an image as the Docker executor does: in the job's DOCKER_AUTH_CONFIG, in root's own files,
 * in what GitLab sent with the job. The longest path counts, whichever source has it; of equal paths the first source.
 */

import type { Job } from "../../gitlab/job.ts";
import type { Host } from "../../host/host.ts";
import { type AuthEntry, type AuthSource, parseAuthConfig } from "./auth_config.ts";
import { askHelper } from "./credential_helper.ts";
import { scopesOf } from "./registry_scope.ts";
import type { Reference } from "./reference.ts";

/** Credentials for one registry, which belong neither into a message nor into the arguments of a program. */
export interface Credentials {
  /** Empty with an identity token. */
  readonly username: string;
  readonly password: string;
  /** A refresh token of OAuth 2; null for a user name and a password. */
  readonly identityToken: string | null;
  /** The registry, or a part of it, for which the source has them: `registry.example.com/group`. */
  readonly scope: string;
  /** Whose they are, for the job's log. */
  readonly source: string;
}

/** What is used to fetch one image. */
export interface Logins {
  /** Those for the image's registry; null where no source has any. */
  readonly credentials: Credentials | null;
  /** Root's own for other registries, by scope: those of mirrors, which containers-registries.conf(5) names. */
  readonly mirrors: ReadonlyMap<string, AuthEntry>;
}

/**
 * Finds the credentials for an image. A source that cannot be read is skipped with a warning.
 *
 * @param job Null where a person calls: then only root's files count.
 */
export async function findLogins(
  host: Host,
  job: Job | null,
  reference: Reference,
): Promise<Logins> {
  const own = await sourcesOfRoot(host);
  const sources = [...sourceOfVariable(host, job), ...own, ...sourceOfJob(job)];
  const credentials = await longestOf(host, sources, reference);
  return { credentials, mirrors: entriesElsewhere(own, reference) };
}

/** skopeo uses them only where it asks that registry, and helpers are not asked: the names of mirrors are not known here. */
function entriesElsewhere(
  sources: readonly AuthSource[],
  { registry }: Reference,
): Map<string, AuthEntry> {
  const entries = sources.toReversed().flatMap((source) => [...source.entries]);
  return new Map(entries.filter(([scope]) => scope.split("/")[0] !== registry));
}

async function longestOf(
  host: Host,
  sources: readonly AuthSource[],
  reference: Reference,
): Promise<Credentials | null> {
  for (const scope of scopesOf(reference)) {
    for (const source of sources) {
      const login = await loginAt(host, source, scope, reference);
      if (login !== null) return { ...login, scope, source: source.name };
    }
  }
  return null;
}

/** A helper's answer replaces what the same file has for the same scope. */
async function loginAt(
  host: Host,
  { name, entries, helpers, store }: AuthSource,
  scope: string,
  { registry }: Reference,
): Promise<AuthEntry | null> {
  const helper = helpers.get(scope) ?? (scope === registry ? store : null);
  const answer = helper === null ? null : await askHelper(host, helper, scope, name);
  return answer ?? entries.get(scope) ?? null;
}

/** Programs that a job names are not run: GitLab Runner runs them as the user of its own process. */
function sourceOfVariable(host: Host, job: Job | null): AuthSource[] {
  const text = job?.dockerAuthConfig;
  if (text === undefined) return [];
  const name = "DOCKER_AUTH_CONFIG";
  const source = parseAuthConfig(text, name);
  if (source === null) {
    host.log.warn(
      `Cannot read DOCKER_AUTH_CONFIG of the job: it is not Docker's JSON with "auths"`,
    );
    return [];
  }
  if (source.helpers.size > 0 || source.store !== null) {
    host.log.warn(
      "The credential helpers of DOCKER_AUTH_CONFIG are not used: only those of root's file are",
    );
  }
  return [{ ...source, helpers: new Map(), store: null }];
}

async function sourcesOfRoot(host: Host): Promise<AuthSource[]> {
  const sources: AuthSource[] = [];
  for (const path of authFiles(host)) {
    const text = await host.files.read(path).catch(() => "");
    if (text === null) continue;
    const source = parseAuthConfig(text, path);
    if (source === null) host.log.warn(`Cannot read the credentials in ${path}: it is skipped`);
    else sources.push(source);
  }
  return sources;
}

/** See containers-auth.json(5); GitLab Runner may have been started without any of these variables. */
function authFiles(host: Host): string[] {
  const home = host.env("HOME") || "/root";
  const own = host.env("REGISTRY_AUTH_FILE");
  const files = [
    ...(own ? [own] : []),
    `${host.env("XDG_RUNTIME_DIR") || `/run/containers/${host.uid()}`}/containers/auth.json`,
    `${host.env("XDG_CONFIG_HOME") || `${home}/.config`}/containers/auth.json`,
    `${host.env("DOCKER_CONFIG") || `${home}/.docker`}/config.json`,
  ];
  return [...new Set(files)];
}

/** GitLab sends the job's token for its own registry, and for its dependency proxy. */
function sourceOfJob(job: Job | null): AuthSource[] {
  if (job === null || job.credentials.length === 0) return [];
  const auths = job.credentials.map(({ url, username, password }) =>
    [url, { username, password }] as const
  );
  const text = JSON.stringify({ auths: Object.fromEntries(auths) });
  const source = parseAuthConfig(text, "GitLab, for this job");
  return source === null ? [] : [source];
}
