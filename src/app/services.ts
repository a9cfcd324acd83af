/** The services of a job: plans their machines with that of the job, and starts all of them. */

import { areServicesRequired } from "../config/overrides.ts";
import type { Config } from "../config/settings.ts";
import { wantsServiceOutput } from "../gitlab/debug_services.ts";
import type { Part } from "../history/record.ts";
import type { Host } from "../host/host.ts";
import type { Lease } from "../machines/record/lease.ts";
import type { MachinePlan } from "../machines/record/plan.ts";
import type { StartObserver } from "../machines/start/observer.ts";
import type { PreparedHost } from "../machines/start/prepare_host.ts";
import { limitsWithServices } from "../services/limits.ts";
import { awaitServices } from "./await_services.ts";
import type { JobImage } from "./job_image.ts";
import { type MachineRequest, planForImage } from "./machine_plan.ts";
import { type PlannedService, planService } from "./service_plan.ts";
import { requestServices } from "./service_requests.ts";
import { removeStarted, startWithServices } from "./start_services.ts";

/** Is called while the machine of the job, and then its services, start. */
interface JobObserver extends StartObserver {
  readonly onPart: (part: Part) => void;
}

/** The planned services of a job. */
export interface PlannedServices {
  /** Starts the machines of the job and of its services, and waits until the services are ready. */
  start(plan: MachinePlan, prepared: PreparedHost, observer: JobObserver): Promise<Lease>;
}

/**
 * Plans the machine of a job, and those of its services. All names are checked before any image is pulled.
 *
 * @param configured The services that the administrator starts for each such job.
 * @throws {Failure} where the job may not use a service, or an image cannot be pulled.
 */
export async function planWithServices(
  host: Host,
  config: Config,
  request: MachineRequest,
  meant: JobImage,
  configured: Config["services"],
): Promise<{ plan: MachinePlan; services: PlannedServices }> {
  const { job, interrupt } = request;
  const checked = await requestServices(host, config, job, { services: configured });
  const isRequired = areServicesRequired(config, job?.overrides ?? {});
  const planning = planForImage(host, config, request, meant);
  const context = { request, job: planning, count: checked.length };
  const [alone, ...services] = await Promise.all([
    planning,
    ...checked.map((one, index) => planService(host, config, one, index + 1, context)),
  ]);
  for (const { notes } of checked) for (const note of notes) host.log.info(note);
  const { settings } = alone;
  const { job: limits } = await limitsWithServices(host, config, settings.limits, services.length);
  const plan = { ...alone, settings: { ...settings, limits } };
  return {
    plan,
    services: {
      async start(plan, prepared, observer) {
        const started = await startWithServices(
          host,
          plan,
          services,
          prepared,
          interrupt,
          observer,
        );
        observer.onPart("services");
        for (const { planned, address } of started.services) {
          host.log.info(serviceLine(planned, address));
        }
        const wait = () => awaitServices(host, config, started, isRequired, interrupt);
        try {
          await (wantsServiceOutput(host) ? showWhile(host, started.lease, wait) : wait());
        } catch (error) {
          await removeStarted(host, started);
          throw error;
        }
        return started.lease;
      },
    },
  };
}

async function showWhile(host: Host, lease: Lease, act: () => Promise<void>): Promise<void> {
  const { whileShowingServices } = await import("./show_services.ts");
  await whileShowingServices(host, lease, false, act);
}

function serviceLine({ service, aliases, plan }: PlannedService, address: string): string {
  return `Service ${service.name}: machine ${plan.name}, ${address}, reached as ${
    aliases.join(", ")
  }`;
}
