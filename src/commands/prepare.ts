import { chooseImage, chooseMachine } from "../app/choices.ts";
import type { CommandRun, Invocation } from "../app/command.ts";
import { findHelperRoot } from "../app/find_helper_root.ts";
import { interruptible } from "../app/interrupt.ts";
import { resolveJobImage, resolvePulledImage } from "../app/job_image.ts";
import { type MachineRequest, planForImage } from "../app/machine_plan.ts";
import { recordFailure } from "../app/record_failure.ts";
import { unknownOverrides } from "../config/overrides.ts";
import type { Config } from "../config/settings.ts";
import { decisionsOf } from "../gitlab/config_stage.ts";
import { type Job, readJob } from "../gitlab/job.ts";
import type { ConfigNote } from "../history/notes.ts";
import { type PrepareNotes, prepareNotes } from "../history/prepare_notes.ts";
import type { Host } from "../host/host.ts";
import type { MachinePlan } from "../machines/record/plan.ts";
import { machineLine, readyLine } from "../machines/report/start_report.ts";
import { gatherFacts, type HostFacts, prepareHost } from "../machines/start/prepare_host.ts";
import { startMachine } from "../machines/start/start.ts";

/** Starts the machine of a job. */
export const run: CommandRun = async (invocation, { host, config: load }) => {
  const began = host.clock.now();
  const config = await load();
  // First, since this takes longer than to plan the machine.
  const facts = gatherFacts(host, config.store, config.disk_reserve, config.network);
  const job = await readJob(host);
  const machine = await chooseMachine(invocation, job);
  const notes = prepareNotes(host, machine.name, began, configNote(host));
  await interruptible(host, async (interrupt) => {
    let image: string | null = null;
    try {
      image = imageOf(host, invocation, job, config);
      const request = { machine, job, image, began, interrupt, findHelperRoot };
      await startJob(host, config, request, facts, notes);
    } catch (error) {
      const failed = { machine, job, image, error, isCancelled: interrupt.aborted };
      await recordFailure(host, config.store, failed, notes);
      throw error;
    }
  });
  notes.end();
  host.log.info(readyLine(machine.name, host.clock.now() - began));
};

async function startJob(
  host: Host,
  config: Config,
  request: MachineRequest,
  facts: HostFacts,
  notes: PrepareNotes,
): Promise<void> {
  const { job, began, interrupt } = request;
  notes.begin("image");
  const { plan, services } = await planMachines(host, config, request);
  logJob(host, job, plan);
  notes.begin("host");
  const isRecent = host.clock.now() - began < RECENT; // a pull may take minutes
  const ready = await prepareHost(host, plan, interrupt, isRecent ? facts : undefined);
  const observer = { onPart: notes.begin, onReserved: notes.keep };
  const lease = services === null
    ? await startMachine(host, plan, ready, interrupt, observer)
    : await services.start(plan, ready, observer);
  if (job?.movesFiles) {
    notes.begin("runner");
    const { verifyRunner } = await import("../app/verify_runner.ts");
    await verifyRunner(host, plan, interrupt);
  }
  host.log.info(machineLine(lease, plan.settings, ready.supervisor.enforcesLimits));
  for (const note of (await ready.network.details).notes) host.log.info(note);
}

function configNote({ env }: Host): ConfigNote | null {
  const decided = decisionsOf(env);
  return decided?.began ? { at: decided.began, note: "config", took: decided.took } : null;
}

/** Plans the machine of a job, and those of its services; most jobs have none, and pay for no import. */
async function planMachines(host: Host, config: Config, request: MachineRequest) {
  const { job, image } = request;
  const meant = await resolveOnce(host, config, job, image);
  const own = meant.kind === "chroot" ? meant.chroot.own : [];
  const services = own.find((settings) => settings.services !== undefined)?.services ??
    config.services;
  if (services.length + (job?.services.length ?? 0) === 0) {
    return { plan: await planForImage(host, config, request, meant), services: null };
  }
  const { planWithServices } = await import("../app/services.ts");
  return await planWithServices(host, config, request, meant, services);
}

/** The config stage may have found already that no chroot matches, for which it has read all definitions. */
function resolveOnce(...[host, config, job, image]: Parameters<typeof resolveJobImage>) {
  const isPulled = decisionsOf(host.env)?.chroot === null && image === job?.image;
  return (isPulled ? resolvePulledImage : resolveJobImage)(host, config, job, image);
}

/** Milliseconds for which what was found out about the host counts. */
const RECENT = 2000;

/** Logs what the machine will not have as the job may expect it. */
function logJob(host: Host, job: Job | null, { folders }: MachinePlan): void {
  if (folders !== undefined && job?.isProtected === undefined) {
    host.log.info(
      "The cache is shared with no other ref: GitLab does not say if this one is protected",
    );
  }
  for (const line of unknownOverrides(job?.overrides ?? {})) host.log.warn(line);
}

/** The config stage may have resolved the job's own image already. */
function imageOf(host: Host, invocation: Invocation, job: Job | null, config: Config): string {
  const resolved = decisionsOf(host.env)?.chroot;
  const own = job === null || !resolved ? job : { ...job, image: resolved };
  return chooseImage(invocation, own, config);
}
