/** Plans the machines of a job's services. */

import type { Chroot } from "../chroots/find/chroot.ts";
import { currentTree } from "../chroots/find/lookup.ts";
import { settingsFor } from "../config/load.ts";
import type { Config, MachineSettings } from "../config/settings.ts";
import { refused } from "../failure.ts";
import type { JobService } from "../gitlab/job_services.ts";
import type { Host } from "../host/host.ts";
import type { ImageConfig, PulledImageConfig } from "../images/store/image_config.ts";
import { serviceName } from "../machines/record/name.ts";
import type { BaseTree, MachinePlan, ServiceProgram } from "../machines/record/plan.ts";
import { hasInit } from "../machines/start/plan_tree.ts";
import { serviceEnvironment } from "../services/environment.ts";
import { limitsWithServices } from "../services/limits.ts";
import { portsToCheck } from "../services/ports.ts";
import {
  baseTree,
  checkedBinds,
  type MachineRequest,
  planOf,
  refuseStrangersBoot,
} from "./machine_plan.ts";
import { findPulledImage, treeOf } from "./pulled_image.ts";
import { asServiceFailure, type ServiceRequest } from "./service_requests.ts";

/** A service that is to be started. */
export interface PlannedService {
  readonly service: JobService;
  readonly aliases: readonly string[];
  /** The plan of its machine, without the parts that it shares with the machine of the job. */
  readonly plan: MachinePlan;
  /** Null where its machine boots: the machine's systemd starts the servers. */
  readonly program: ServiceProgram | null;
  /** The ports of which one has to answer. */
  readonly ports: readonly number[];
}

/** What the services of a job have in common. */
export interface ServiceContext {
  readonly request: MachineRequest;
  /** The plan of the machine of the job, whose image may still be pulled. */
  readonly job: Promise<MachinePlan>;
  /** The number of services. */
  readonly count: number;
}

/**
 * Plans the machine of a service. An image that is not on the host is pulled.
 *
 * @param number From 1, in the order of the job's services.
 * @throws {Failure} where its image cannot be pulled, or has nothing to run.
 */
export async function planService(
  host: Host,
  config: Config,
  { service, aliases, meant }: ServiceRequest,
  number: number,
  { request, job: planning, count }: ServiceContext,
): Promise<PlannedService> {
  const environment = await serviceEnvironment(host, service);
  const { tree, settings } = meant.kind === "chroot"
    ? planChroot(host, config, meant.chroot, service, environment)
    : {
      tree: await asServiceFailure(
        service.name,
        findPulledImage(host, config, meant.request, request.interrupt, (asked, image) => ({
          ...treeOf(asked, image),
          program: programOf(service, asked.entrypoint, image.config, environment),
        })),
      ),
      settings: { ...settingsFor(config), boot: false },
    };
  const now = await tree();
  const { program = null } = now;
  if (program === null && !await hasInit(host, now.path)) throw cannotBoot(service.name);
  const helper = program === null ? null : await request.findHelperRoot(host, config, null);
  const job = await planning;
  const limits = (await limitsWithServices(host, config, job.settings.limits, count)).services;
  const plan = planOf(config, {
    name: serviceName(job.name, number),
    tree: helper === null ? tree : async () => ({ ...await tree(), helper: await helper() }),
    onUnconfined: (tree, isBooted) => refuseStrangersBoot(host, config, tree, isBooted),
    settings: { ...settings, limits, prepare_timeout: job.settings.prepare_timeout },
    job: job.job,
    binds: await checkedBinds(host, config, settings.binds),
    ...(job.freeMore === undefined ? {} : { freeMore: job.freeMore }),
  });
  const ports = program === null
    ? []
    : portsToCheck(program.ports, [...environment, ...program.environment]);
  return { service, aliases, plan, program, ports };
}

/** Returns the program of a service: the words of the job replace those of its image, as in Docker. */
function programOf(
  { name, command }: JobService,
  entrypoint: readonly string[] | null,
  image: ImageConfig & Partial<PulledImageConfig>,
  environment: readonly string[],
): ServiceProgram {
  const defaults = entrypoint === null ? image.cmd : [];
  const words = [
    ...entrypoint ?? image.entrypoint,
    ...(command.length > 0 ? command : defaults),
  ];
  if (words.length === 0) throw nothingToRun(name);
  return {
    words,
    environment: [...image.env, ...environment],
    workingDir: image.workingDir,
    healthcheck: healthcheckOf(image.healthcheck ?? []),
    ports: image.ports ?? [],
  };
}

/** Returns the command of a HEALTHCHECK: the OCI image specification has it as Docker's field. */
function healthcheckOf([kind, ...words]: readonly string[]): readonly string[] {
  if (kind === "CMD-SHELL") return ["/bin/sh", "-c", ...words];
  return kind === "CMD" ? words : [];
}

function planChroot(
  host: Host,
  config: Config,
  chroot: Chroot,
  service: JobService,
  environment: readonly string[],
): { tree: () => Promise<BaseTree>; settings: MachineSettings } {
  const { name, service: words } = chroot;
  const hasOwn = words !== null || service.command.length > 0 || service.entrypoint !== null;
  const boots = !hasOwn && chroot.own.some(({ boot }) => boot === true);
  const settings = { ...settingsFor(config, ...chroot.own), boot: boots };
  const tree = async () => {
    const current = await currentTree(host, config.store, name);
    const base = baseTree(name, current, settings);
    if (boots) return base;
    const made = current.image ?? NO_IMAGE;
    const image = words === null ? made : { ...made, entrypoint: [], cmd: words };
    return { ...base, program: programOf(service, clearedEntrypoint(service), image, environment) };
  };
  return { tree, settings };
}

/** One empty word clears an entrypoint: Docker's API. */
function clearedEntrypoint({ entrypoint }: JobService): readonly string[] | null {
  return entrypoint?.length === 1 && entrypoint[0] === "" ? [] : entrypoint;
}

const NO_IMAGE: ImageConfig = { env: [], user: "", workingDir: "", entrypoint: [], cmd: [] };

function nothingToRun(name: string): Error {
  return refused(
    `Cannot start service ${name}: its image has no command`,
    "Give the service a command in the job. For a chroot, its definition can have one: " +
      'service = ["redis-server"], or boot = true where its systemd starts the servers',
  );
}

/** Else its machine would run, and nothing in it. */
function cannotBoot(name: string): Error {
  return refused(
    `Cannot start service ${name}: its definition has boot = true, and its tree has no systemd with D-Bus`,
    'Install both by the definition: packages = ["systemd-sysv", "dbus"]; or give it a command: service = ["redis-server"]',
  );
}
