/** The services of a job: those of the administrator, then those that the job declares. */

import type { ConfiguredService } from "../config/configured_service.ts";
import type { Config } from "../config/settings.ts";
import { refused } from "../failure.ts";
import type { JobService } from "../gitlab/job_services.ts";
import { allowsService } from "../images/request/patterns.ts";

/**
 * Returns the services of a job, in the order in which Docker's executor starts them.
 *
 * @param configured The administrator's.
 * @param own The job's.
 * @throws {Failure} where there are too many, or the job may not use one of its own.
 */
export function declaredServices(
  config: Pick<Config, "allowed_services" | "services_limit">,
  configured: readonly ConfiguredService[],
  own: readonly JobService[],
): JobService[] {
  // A variable of the job that is empty may stand for a service that is not wanted.
  const named = own.filter(({ name, alias }) => name !== "" || alias !== "");
  const all = [...configured.map(serviceOf), ...named];
  const { allowed_services, services_limit } = config;
  if (all.length > services_limit) {
    throw refused(
      `Cannot start ${all.length} services: at most ${services_limit} are allowed on this host`,
      "Remove some from the job; the administrator decides by services_limit in the configuration",
    );
  }
  for (const { name } of named) {
    const isAllowed = configured.some((one) => one.name === name) ||
      allowsService(allowed_services, name);
    if (!isAllowed) throw deniedService(allowed_services, name);
  }
  return all;
}

function serviceOf({ entrypoint, variables, ...rest }: ConfiguredService): JobService {
  const own = entrypoint.length === 0 ? null : entrypoint;
  return {
    ...rest,
    entrypoint: own,
    variables: Object.entries(variables).map(([key, value]) => ({ key, value, isRaw: false })),
    options: { entrypoint: own, pullPolicies: [], user: null, platform: null },
  };
}

function deniedService(patterns: readonly string[], name: string): Error {
  return refused(
    `Cannot start service ${JSON.stringify(name.slice(0, 100))}: jobs may not use it on this host`,
    `Jobs may use: ${
      patterns.join(", ") || "none"
    }. The administrator decides by allowed_services in the configuration`,
  );
}
