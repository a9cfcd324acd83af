/** Plans a machine of the library. */

import { findHelperRoot } from "../app/find_helper_root.ts";
import { type JobImage, resolveJobImage } from "../app/job_image.ts";
import {
  checkedBinds,
  type MachineRequest,
  ownJob,
  planForImage,
  refuseStrangersBoot,
} from "../app/machine_plan.ts";
import type { PlannedServices } from "../app/services.ts";
import type { Config, OwnSettings } from "../config/settings.ts";
import { refused } from "../failure.ts";
import type { Host } from "../host/host.ts";
import type { Bind } from "../machines/record/caches.ts";
import { machineName } from "../machines/record/name.ts";
import type { MachinePlan } from "../machines/record/plan.ts";
import { verifyInput } from "../machines/start/input.ts";
import { settingsOf } from "./settings.ts";
import type { MachineOptions } from "./types.ts";

/** A machine that is to be started. */
export interface Planned {
  readonly id: string;
  readonly plan: MachinePlan;
  /** Null for none. */
  readonly services: PlannedServices | null;
}

/** What this program's own commands give to a machine, and no other program can. */
export interface OwnParts {
  /** A folder of a pipeline, which it sees: INPUT_INSIDE. */
  readonly input?: string;
  /** Files of the host, which need no check. */
  readonly binds?: readonly Bind[];
}

/**
 * Plans a machine and its services. An image that is not on the host is pulled.
 *
 * @throws {Failure} where an option is wrong, or the host lacks what the machine needs.
 */
export async function planMachine(
  host: Host,
  configured: Config,
  options: MachineOptions,
  interrupt: AbortSignal,
  { input, binds = [] }: OwnParts = {},
): Promise<Planned> {
  const own = settingsOf(options);
  const config = { ...configured, allowed_images: ["*"] }; // the caller is no job, but the administrator
  const image = options.image ?? config.default_image;
  if (image === undefined) throw noImage();
  if (input !== undefined) await verifyInput(host, config.store, input);
  const id = `library-${crypto.randomUUID().slice(0, 8)}`;
  const meant = await resolveJobImage(host, config, null, image);
  if (meant.kind === "pulled" && own.boot) throw cannotBoot(image);
  const request: MachineRequest = {
    machine: { id, name: machineName(id, undefined), server: undefined },
    job: null,
    image,
    began: host.clock.now(),
    interrupt,
    findHelperRoot,
    adapt: async (plan) => ({
      ...await withSettings(
        host,
        config,
        { ...plan, binds: [...plan.binds, ...binds] },
        own,
        meant,
      ),
      job: ownJob(host, id, options.lifetime ?? config.deadline),
      ...(input === undefined ? {} : { input }),
    }),
  };
  const services = own.services ?? [];
  if (services.length === 0) {
    return { id, plan: await planForImage(host, config, request, meant), services: null };
  }
  const { planWithServices } = await import("../app/services.ts");
  return { id, ...await planWithServices(host, config, request, meant, services) };
}

async function withSettings(
  host: Host,
  config: Config,
  plan: MachinePlan,
  { limits, binds, services: _, ...own }: OwnSettings,
  meant: JobImage,
): Promise<MachinePlan> {
  const tree = async () => {
    const found = await plan.tree();
    return own.user === undefined ? found : { ...found, user: own.user };
  };
  return {
    ...plan,
    tree,
    settings: { ...plan.settings, ...own, limits: { ...plan.settings.limits, ...limits } },
    binds: [...plan.binds, ...await checkedBinds(host, config, binds)],
    // The caller is no job: it may boot what it likes, but for trees of strangers.
    ...(meant.kind === "pulled" ? {} : {
      onUnconfined: (base, isBooted) => refuseStrangersBoot(host, config, base, isBooted),
    }),
  };
}

function noImage(): Error {
  return refused(
    "Cannot start a machine: no image is named",
    'Name one: startMachine({ image: "bookworm" }), or default_image in the configuration',
  );
}

function cannotBoot(image: string): Error {
  return refused(
    `Cannot boot ${JSON.stringify(image)}: an image of a registry has no systemd that may boot`,
    "Leave boot out, or make a chroot of the image: nspawn-runner chroot-create",
  );
}
