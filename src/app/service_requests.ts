/** Resolves and checks the images of a job's services, before anything is pulled or started. */

import { areServicesRequired } from "../config/overrides.ts";
import type { Config, MachineSettings } from "../config/settings.ts";
import { Failure } from "../failure.ts";
import type { Job } from "../gitlab/job.ts";
import type { JobService } from "../gitlab/job_services.ts";
import type { Host } from "../host/host.ts";
import { assignAliases, type ServiceAliases } from "../services/aliases.ts";
import { declaredServices } from "../services/declared.ts";
import { checkJobImage, type JobImage, resolveJobImage } from "./job_image.ts";

/** A service that a job is to have. */
export interface ServiceRequest extends ServiceAliases {
  readonly service: JobService;
  readonly meant: JobImage;
}

/** Settings of the job's machine. */
type Own = Pick<MachineSettings, "services">;

/**
 * Returns the services of a job: those of the configuration, or of the definition of the job's chroot, then its own. Their
 * images follow the rules of the job's image.
 *
 * @param job Null where a person calls.
 * @param own The settings of the job's chroot; null where its image is pulled.
 * @throws {Failure} where the job may not have one of them.
 */
export async function requestServices(
  host: Host,
  config: Config,
  job: Job | null,
  own: Own | null,
): Promise<ServiceRequest[]> {
  const requests: ServiceRequest[] = [];
  for (const named of namedServices(config, job, own)) {
    const { name, options } = named.service;
    const meant = await asServiceFailure(name, resolveJobImage(host, config, job, name, options));
    requests.push({ ...named, meant });
  }
  return requests;
}

/**
 * Checks the services of a job as far as that is possible without any registry and its credentials.
 *
 * @throws {Failure} as {@linkcode requestServices}.
 */
export async function checkServices(
  host: Host,
  config: Config,
  job: Job,
  own: Own | null,
): Promise<void> {
  for (const { service: { name, options } } of namedServices(config, job, own)) {
    await asServiceFailure(name, checkJobImage(host, config, job, name, options));
  }
}

function namedServices(
  config: Config,
  job: Job | null,
  own: Own | null,
): Omit<ServiceRequest, "meant">[] {
  const services = declaredServices(config, (own ?? config).services, job?.services ?? []);
  // Refuses the job's variable where jobs may not set it.
  if (services.length > 0) areServicesRequired(config, job?.overrides ?? {});
  const aliases = assignAliases(services);
  return services.map((service, index) => ({ service, ...aliases[index]! }));
}

/** A failure of an image does not say that it is a service's. */
export async function asServiceFailure<T>(name: string, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const reason = error.message.replace(/^C/, "c");
    const message = `Cannot start service ${JSON.stringify(name.slice(0, 100))}: ${reason}`;
    throw new Failure(error.kind, message, error.hint, error);
  }
}
