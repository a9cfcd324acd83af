/** The `services:` of a job, as GitLab Runner describes them. */

import { textsOf } from "./fields.ts";
import { type ImageField, type ImageOptions, parseImageOptions } from "./image_options.ts";

/** A service of a job. */
export interface JobService {
  /** Its image; empty where a variable of the job that is unset names it. */
  readonly name: string;
  /** As written: several aliases stand between commas and spaces; empty for none. */
  readonly alias: string;
  /** Replaces the entrypoint of its image; null where the job has none. */
  readonly entrypoint: readonly string[] | null;
  /** Replaces the command of its image; empty where the job has none. */
  readonly command: readonly string[];
  /** Its own variables. */
  readonly variables: readonly ServiceVariable[];
  /** What the job asks for with its image. */
  readonly options: ImageOptions;
}

/** A variable of a service. */
export interface ServiceVariable {
  readonly key: string;
  readonly value: string;
  /** Whether `$` in its value has no meaning. */
  readonly isRaw: boolean;
}

/** The fields of a service in the response file; CI_JOB_SERVICES has the first four. */
interface ServiceField extends ImageField {
  readonly alias?: unknown;
  readonly command?: unknown;
  readonly variables?: unknown;
}

/**
 * Returns the services of a list from GitLab Runner: the response file's objects, those of CI_JOB_SERVICES, or names. Leaves
 * out what has no name at all.
 */
export function parseServices(list: unknown): JobService[] {
  if (!Array.isArray(list)) return [];
  return list.map((one) => typeof one === "string" ? { name: one } : one).flatMap(serviceOf);
}

function serviceOf(field: ServiceField | null): JobService[] {
  if (typeof field?.name !== "string") return [];
  const options = parseImageOptions(field);
  return [{
    name: field.name,
    alias: typeof field.alias === "string" ? field.alias : "",
    entrypoint: options.entrypoint,
    command: textsOf(field.command),
    variables: variablesOf(field.variables),
    options,
  }];
}

function variablesOf(list: unknown): ServiceVariable[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((one) => {
    const { key, value, raw } = one ?? {};
    return typeof key === "string" && typeof value === "string"
      ? [{ key, value, isRaw: raw === true }]
      : [];
  });
}
