/** The predefined variables of a pipeline, as far as a working copy tells them. */

import { basename } from "@std/path/posix";
import type { Snapshot } from "../model.ts";
import { projectOf } from "./remote.ts";

/** What the snapshot does not tell. */
export interface PipelineFacts {
  /** The id of the pipeline. */
  readonly id: number;
  /** When it began, in milliseconds since 1970. */
  readonly created: number;
  /** The path of its file in the project. */
  readonly configPath: string;
}

/** Returns the predefined variables that all jobs of a pipeline share; rules see them as well. */
export function pipelineVariables(
  snapshot: Pick<Snapshot, "commit" | "workingCopy">,
  facts: PipelineFacts,
): Record<string, string> {
  return {
    CI: "true",
    GITLAB_CI: "true",
    ...serverVariables(snapshot),
    ...projectVariables(snapshot),
    ...commitVariables(snapshot),
    CI_CONFIG_PATH: facts.configPath,
    CI_PIPELINE_ID: `${facts.id}`,
    CI_PIPELINE_IID: `${facts.id}`,
    CI_PIPELINE_SOURCE: "push",
    CI_PIPELINE_CREATED_AT: timeOf(facts.created),
    GITLAB_USER_NAME: snapshot.commit.user.name,
    GITLAB_USER_EMAIL: snapshot.commit.user.email,
    GITLAB_USER_LOGIN: snapshot.commit.user.login,
  };
}

/** Returns a time as GitLab writes it. */
export function timeOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/\.\d+Z$/, "Z");
}

type Source = Pick<Snapshot, "commit" | "workingCopy">;

function serverVariables(source: Source): Record<string, string> {
  const { server } = ownProject(source);
  const { hostname, host, port, protocol } = new URL(server);
  const isSecure = protocol === "https:";
  return {
    CI_SERVER_URL: server,
    CI_SERVER_HOST: hostname,
    CI_SERVER_FQDN: host,
    CI_SERVER_PORT: port || (isSecure ? "443" : "80"),
    CI_SERVER_PROTOCOL: isSecure ? "https" : "http",
    CI_SERVER_SHELL_SSH_HOST: hostname,
    CI_SERVER_SHELL_SSH_PORT: "22",
    CI_SERVER_NAME: "GitLab",
    CI_API_V4_URL: `${server}/api/v4`,
    CI_API_GRAPHQL_URL: `${server}/api/graphql`,
  };
}

function projectVariables(source: Source): Record<string, string> {
  const { path, server } = ownProject(source);
  const name = basename(path);
  const namespace = path.slice(0, -name.length - 1);
  return {
    CI_PROJECT_NAME: name,
    CI_PROJECT_TITLE: name,
    CI_PROJECT_PATH: path,
    CI_PROJECT_PATH_SLUG: slugOf(path),
    CI_PROJECT_NAMESPACE: namespace,
    CI_PROJECT_NAMESPACE_SLUG: slugOf(namespace),
    CI_PROJECT_ROOT_NAMESPACE: namespace.split("/")[0]!,
    CI_PROJECT_URL: `${server}/${path}`,
    CI_PROJECT_VISIBILITY: "private",
    CI_REPOSITORY_URL: source.commit.remote ?? `${server}/${path}.git`,
    CI_DEFAULT_BRANCH: source.commit.defaultBranch,
  };
}

/** A working copy without a remote is a project of the group `local`. */
function ownProject({ commit, workingCopy }: Source) {
  const name = basename(workingCopy).replace(/^[.]|[^\w.-]/g, "-");
  return projectOf(commit.remote, `local/${name || "project"}`);
}

function commitVariables({ commit }: Source): Record<string, string> {
  const ref = commit.tag ?? commit.branch ?? "";
  const [title = "", ...rest] = commit.message.split("\n");
  return {
    CI_COMMIT_SHA: commit.sha,
    CI_COMMIT_SHORT_SHA: commit.sha.slice(0, 8),
    CI_COMMIT_BEFORE_SHA: "0".repeat(commit.sha.length),
    CI_COMMIT_REF_NAME: ref,
    CI_COMMIT_REF_SLUG: slugOf(ref),
    CI_COMMIT_REF_PROTECTED: "false",
    ...(commit.tag === null
      ? { CI_COMMIT_BRANCH: ref }
      : { CI_COMMIT_TAG: ref, CI_COMMIT_TAG_MESSAGE: commit.tagMessage }),
    CI_COMMIT_MESSAGE: commit.message,
    CI_COMMIT_TITLE: title,
    CI_COMMIT_DESCRIPTION: rest.join("\n").trim(),
    CI_COMMIT_AUTHOR: commit.author,
    CI_COMMIT_TIMESTAMP: commit.timestamp,
  };
}

/** Returns a text as GitLab writes it in host names: lib/gitlab/utils.rb, slugify(). */
export function slugOf(text: string): string {
  return text.toLowerCase().replace(/[^a-z0-9]/g, "-").slice(0, 63).replace(/^-+|-+$/g, "");
}
