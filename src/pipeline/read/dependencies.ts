/** Checks the jobs that `dependencies:` names. */

import { FileMistake } from "./mistake.ts";

/** A job with `dependencies:`, as gitlab-ci-local has it. */
export interface Dependent {
  readonly baseName: string;
  /** Null without `needs:`. */
  readonly needs: unknown;
}

/**
 * Checks the stage of a job that `dependencies:` names, and returns a warning; null for none.
 *
 * @param stages By how many stages the other job is later; negative where it is earlier.
 * @throws {FileMistake} where it is later: GitLab, lib/gitlab/ci/yaml_processor.rb.
 */
export function checkDependency(
  { baseName, needs }: Dependent,
  other: string,
  stages: number,
): string | null {
  if (stages > 0) {
    throw new FileMistake(
      `${baseName}: dependencies must be jobs of earlier stages, and ${other} is in a later one`,
      [baseName, "dependencies"],
      { hint: `Move ${other} to an earlier stage, or remove it from dependencies:` },
    );
  }
  // GitLab accepts the same stage, and gives such a job no artifacts: app/models/ci/build_dependencies.rb.
  if (stages < 0 || needs !== null) return null;
  return `dependencies of ${baseName}: it gets no artifacts of ${other}, which is in the same stage; ` +
    "list that job in needs: too";
}
