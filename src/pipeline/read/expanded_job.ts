/** A job as gitlab-ci-local expanded it. */

import type { When } from "../model.ts";
import { Field } from "./field.ts";

/** A job as it is in the answer. */
export interface ExpandedJob {
  readonly name: string;
  readonly key: string;
  readonly when: When;
  /** The keywords of the job. */
  readonly data: Field;
  /** The rule that matched; unset for none. */
  readonly rule: Field;
  /** The variables of the file that the job inherits. */
  readonly globals: Field;
  /** The variables of `parallel:matrix`; unset without. */
  readonly matrix: Field;
  readonly allowFailure: Field;
}

const WHENS = ["on_success", "on_failure", "always", "manual", "delayed", "never"] as const;

/** Reads a job of the answer. */
export function expandedJob(value: unknown): ExpandedJob {
  const nameless = new Field(value, "a job");
  const name = nameless.get("name").line();
  const place = `job ${JSON.stringify(name)}`;
  const job = new Field(value, place);
  const part = (key: string, keys: readonly string[] = []) =>
    new Field(job.get(key).value, place, keys);
  return {
    name,
    key: job.get("key").line(),
    when: part("when", ["when"]).choice(WHENS, "on_success"),
    data: part("data"),
    rule: part("rule", ["rules"]),
    globals: part("globals", ["variables"]),
    matrix: part("matrix", ["parallel", "matrix"]),
    allowFailure: part("allowFailure", ["allow_failure"]),
  };
}
