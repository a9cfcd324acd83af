/** What a job asks for with an image: `image:` and each of `services:` of .gitlab-ci.yml. */

import { textOf, textsOf } from "./fields.ts";

/** What a job asks for with an image. Variables in it are not expanded yet. */
export interface ImageOptions {
  /** Null where the job has none. */
  readonly entrypoint: readonly string[] | null;
  readonly pullPolicies: readonly string[];
  /** `docker:user`; null for none. */
  readonly user: string | null;
  /** `docker:platform`; null for none. */
  readonly platform: string | null;
}

/** The fields that an image and a service have in common. */
export interface ImageField {
  readonly name?: unknown;
  readonly entrypoint?: unknown;
  readonly pull_policy?: unknown;
  readonly executor_opts?: {
    readonly docker?: { readonly platform?: unknown; readonly user?: unknown } | null;
  } | null;
}

/** GitLab Runner writes absent texts as empty ones, and a user's number as a text. */
export function parseImageOptions(image: ImageField | null | undefined): ImageOptions {
  const { entrypoint, pull_policy, executor_opts } = image ?? {};
  const words = textsOf(entrypoint);
  return {
    entrypoint: words.length === 0 ? null : words,
    pullPolicies: textsOf(pull_policy),
    user: textOf(executor_opts?.docker?.user) ?? null,
    platform: textOf(executor_opts?.docker?.platform) ?? null,
  };
}
