/** Converts the parts of a job that have fields of their own: image, services, caches and artifacts. */

import type { PipelineArtifacts, PipelineCache, PipelineImage, PipelineService } from "../model.ts";
import type { Field } from "./field.ts";

/** Converts `image:`. */
export function imageOf(field: Field): PipelineImage {
  if (!field.isMapping) return { name: field.text() };
  const [entrypoint, policies] = [field.get("entrypoint"), field.get("pull_policy")];
  const docker = dockerOf(field.get("docker"));
  return {
    name: field.get("name").text(),
    ...(entrypoint.isUnset ? {} : { entrypoint: entrypoint.texts() }),
    ...(policies.isUnset ? {} : { pull_policy: policies.texts() }),
    ...(docker === undefined ? {} : { docker }),
  };
}

function dockerOf(field: Field): PipelineImage["docker"] {
  const [user, platform] = [field.get("user"), field.get("platform")];
  if (user.isUnset && platform.isUnset) return undefined;
  return {
    ...(user.isUnset ? {} : { user: user.text() }),
    ...(platform.isUnset ? {} : { platform: platform.text() }),
  };
}

/** Converts `services:`. */
export function servicesOf(field: Field): PipelineService[] {
  return field.items().map((service) => {
    if (!service.isMapping) return { name: service.text() };
    const [alias, command] = [service.get("alias"), service.get("command")];
    const variables = service.get("variables");
    return {
      ...imageOf(service),
      ...(alias.isUnset ? {} : { alias: alias.text() }),
      ...(command.isUnset ? {} : { command: command.texts() }),
      ...(variables.isUnset ? {} : { variables: variables.variables() }),
    };
  });
}

const UPLOADS = ["on_success", "on_failure", "always"] as const;
const POLICIES = ["pull", "push", "pull-push"] as const;

/** Converts `cache:`. */
export function cachesOf(field: Field): PipelineCache[] {
  return field.items().map((cache) => ({
    key: cacheKeyOf(cache.get("key")),
    fallbackKeys: cache.get("fallback_keys").texts(),
    paths: cache.get("paths").texts(),
    untracked: cache.get("untracked").flag(false),
    policy: cache.get("policy").choice(POLICIES, "pull-push"),
    when: cache.get("when").choice(UPLOADS, "on_success"),
  }));
}

function cacheKeyOf(field: Field): PipelineCache["key"] {
  if (field.isUnset) return "default";
  if (!field.isMapping) return field.text();
  const prefix = field.get("prefix");
  return { files: field.get("files").texts(), prefix: prefix.isUnset ? "" : prefix.text() };
}

/** Converts `artifacts:`. */
export function artifactsOf(field: Field): PipelineArtifacts | null {
  if (field.isUnset) return null;
  const reports = field.get("reports");
  const others = reports.entries().filter(([kind]) => kind !== "dotenv");
  return {
    paths: field.get("paths").texts(),
    exclude: field.get("exclude").texts(),
    untracked: field.get("untracked").flag(false),
    when: field.get("when").choice(UPLOADS, "on_success"),
    dotenv: reports.get("dotenv").texts(),
    reports: others.flatMap(([, report]) =>
      report.isMapping ? report.get("path").texts() : report.texts()
    ),
  };
}
