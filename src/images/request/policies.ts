/** Pull policies: when the registry is asked for an image that is in the store. */

import type { Config } from "../../config/settings.ts";
import { refused } from "../../failure.ts";

/** One of GitLab's pull policies. */
export type PullPolicy = Config["pull_policy"][number];

/**
 * Returns the pull policies of a job, to be tried in this order. Those that the job asks for replace those of the
 * configuration, as far as `allowed_pull_policies` allows them.
 *
 * @param asked The job's own policies; none for those of the configuration.
 * @throws {Failure} where none of them is allowed.
 */
export function effectivePolicies(
  { pull_policy, allowed_pull_policies: allowed = pull_policy }: Pick<
    Config,
    "pull_policy" | "allowed_pull_policies"
  >,
  asked: readonly string[],
): readonly PullPolicy[] {
  const wanted: readonly string[] = asked.length === 0 ? pull_policy : asked;
  const policies = wanted.flatMap((word) => allowed.filter((policy) => policy === word));
  if (policies.length > 0) return policies;
  throw asked.length === 0
    ? refused(
      `Cannot pull images: pull_policy (${wanted.join(", ")}) has none of allowed_pull_policies (${
        allowed.join(", ")
      })`,
      "Change one of the two in the configuration",
    )
    : refused(
      `Cannot use pull_policy ${
        JSON.stringify(asked.join(", ").slice(0, 50))
      } of the job: allowed on this host: ${allowed.join(", ")}`,
      "Remove pull_policy from the job; the administrator may allow it by allowed_pull_policies",
    );
}
