/** Rules that have the effect of `only:` and `except:`. */

import { FileMistake } from "./mistake.ts";

/** A rule of a job. */
interface Rule {
  readonly if?: string;
  readonly changes?: readonly string[];
  readonly when?: "never";
}

/** The conditions of one of the two keywords. */
interface Policy {
  readonly refs: readonly string[];
  readonly variables: readonly string[];
  readonly changes: readonly string[];
}

type Variables = Readonly<Record<string, string>>;

/** Values of CI_PIPELINE_SOURCE by their keywords. */
const SOURCES: Readonly<Record<string, string>> = {
  api: "api",
  chat: "chat",
  external: "external",
  external_pull_requests: "external_pull_request_event",
  merge_requests: "merge_request_event",
  pipelines: "pipeline",
  pushes: "push",
  schedules: "schedule",
  triggers: "trigger",
  web: "web",
};

/**
 * Returns the rules of a job; null where it has neither `only:` nor `except:`. Values of wrong types count as absent: the
 * schema refuses them.
 *
 * @param variables Those that the names of refs are compared with.
 */
export function onlyRules(
  name: string,
  job: Readonly<Record<string, unknown>>,
  variables: Variables,
): readonly Rule[] | null {
  const { only, except, rules } = job;
  if (only === undefined && except === undefined) return null;
  if (rules !== undefined) {
    const keyword = only === undefined ? "except" : "only";
    throw new FileMistake(`${name}: a job may not have both rules: and ${keyword}:`, [
      name,
      keyword,
    ]);
  }
  const [wanted, excluded] = [policyOf(only), policyOf(except)];
  const refs = wanted.refs.length > 0 ? wanted.refs : ["branches", "tags"];
  const matches = (ref: string) => isRef(ref, variables);
  if (!refs.some(matches) || excluded.refs.some(matches)) return [{ when: "never" }];
  return [...exceptions(excluded), ...alternatives(wanted)];
}

/** One condition that holds excludes the job. */
function exceptions({ variables, changes }: Policy): Rule[] {
  return [
    ...variables.map((rule) => ({ if: rule, when: "never" }) as const),
    ...(changes.length === 0 ? [] : [{ changes, when: "never" } as const]),
  ];
}

/** One of the variables has to match, and one of the changed files. */
function alternatives({ variables, changes }: Policy): Rule[] {
  const both = changes.length === 0 ? {} : { changes };
  return variables.length === 0 ? [both] : variables.map((rule) => ({ if: rule, ...both }));
}

function policyOf(value: unknown): Policy {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { refs: texts(value), variables: [], changes: [] };
  }
  const { refs, variables, changes } = value as Record<string, unknown>;
  return { refs: texts(refs), variables: texts(variables), changes: texts(changes) };
}

function texts(value: unknown): string[] {
  return [value].flat().filter((item) => typeof item === "string");
}

function isRef(word: string, variables: Variables): boolean {
  const [, ref = word, project] = word.match(/^(.*)@([^@/]+\/[^@]+)$/) ?? [];
  if (project !== undefined && project !== variables["CI_PROJECT_PATH"]) return false;
  const tag = variables["CI_COMMIT_TAG"] ?? "";
  const source = variables["CI_PIPELINE_SOURCE"] ?? "push";
  if (ref === "tags") return tag !== "";
  if (ref === "branches") return tag === "" && source !== SOURCES["merge_requests"];
  if (Object.hasOwn(SOURCES, ref)) return source === SOURCES[ref];
  const name = tag || (variables["CI_COMMIT_BRANCH"] ?? "");
  const [, pattern, flags] = ref.match(/^\/(.*)\/(i?)$/) ?? [];
  return pattern === undefined ? ref === name : matchesPattern(pattern, flags, name);
}

function matchesPattern(pattern: string, flags: string | undefined, name: string): boolean {
  try {
    return new RegExp(pattern, flags).test(name);
  } catch (error) {
    const place = `/${pattern}/`;
    throw new FileMistake(
      `${place} is no regular expression: ${(error as Error).message}`,
      [],
      { snippet: place },
    );
  }
}
