/** Expands references to variables as GitLab does. GitLab Runner expands the rest once more. */

import type { JobVariable } from "../model.ts";

/**
 * Expands variables in one another, as GitLab does before it hands them to a runner: app/models of GitLab,
 * sort_and_expand_all(). References to unknown variables, files and raw variables stay, and all do where they form a circle.
 *
 * @param variables Of a name that is there twice, the last one counts.
 */
export function expandInOneAnother(variables: readonly JobVariable[]): JobVariable[] {
  const byKey = new Map(variables.map((variable) => [variable.key, variable]));
  const done = new Map<string, string>();
  const open = new Set<string>();
  let isCircular = false;
  const valueOf = (key: string): string => {
    const variable = byKey.get(key)!;
    const known = done.get(key);
    if (variable.raw || known !== undefined) return known ?? variable.value;
    if (open.has(key)) {
      isCircular = true;
      return variable.value;
    }
    open.add(key);
    const value = variable.value.replaceAll(REFERENCE, (reference, ...keys: string[]) => {
      const [name] = keys.slice(0, FORMS).filter((one) => one !== undefined);
      const other = name === undefined ? undefined : byKey.get(name);
      return other === undefined || other.file || other.raw ? reference : valueOf(other.key);
    });
    open.delete(key);
    done.set(key, value);
    return value;
  };
  const expanded = [...byKey.values()].map((one) => ({ ...one, value: valueOf(one.key) }));
  return isCircular ? [...byKey.values()] : expanded;
}

const NAME = "([A-Za-z_][A-Za-z0-9_]*)";
/** Doubled signs stand for themselves until GitLab Runner reads them. */
const REFERENCE = new RegExp(`\\$\\$|%%|\\$${NAME}|\\$\\{${NAME}\\}|%${NAME}%`, "g");
/** How many forms of a reference have a name. */
const FORMS = 3;
