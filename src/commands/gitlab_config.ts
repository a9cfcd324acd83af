import { chooseMachine, type ChosenMachine } from "../app/choices.ts";
import type { CommandRun } from "../app/command.ts";
import { checkJobImage } from "../app/job_image.ts";
import { recordFailure } from "../app/record_failure.ts";
import type { Chroot } from "../chroots/find/chroot.ts";
import { scriptShell } from "../chroots/find/script_shell.ts";
import type { Config } from "../config/settings.ts";
import { configAnswer, type Decisions } from "../gitlab/config_stage.ts";
import { type Job, readJob } from "../gitlab/job.ts";
import type { Host } from "../host/host.ts";

/** Answers the config stage. */
export const run: CommandRun = async (invocation, { host, config: load }) => {
  const began = host.clock.now();
  const job = await readJob(host);
  let decisions: Decisions | undefined;
  let shell: string | undefined;
  if (job !== null) {
    const machine = await chooseMachine(invocation, job);
    const chroot = job.image === undefined
      ? undefined
      : await checkRecorded(host, await load(), { machine, job, image: job.image, began });
    const took = host.clock.now() - began;
    const { name, server } = machine;
    decisions = { machine: name, server, chroot: chroot && chroot.name, began, took };
    // What GitLab Runner writes for bash runs in busybox's sh as well.
    if (chroot !== undefined) shell = chroot === null ? "bash" : await scriptShell(host, chroot);
  }
  const answer = configAnswer({ hostname: host.hostname(), shell, decisions });
  host.terminal.out(JSON.stringify(answer) + "\n");
};

/** A job that the config stage checks. */
interface CheckedJob {
  readonly machine: ChosenMachine;
  readonly job: Job;
  readonly image: string;
  /** When the stage began, in milliseconds since 1970. */
  readonly began: number;
}

/** Checks the images of a job; one that is refused has its record in the history. */
async function checkRecorded(host: Host, config: Config, checked: CheckedJob) {
  const { machine, job, image, began } = checked;
  try {
    return await checkImages(host, config, job, image);
  } catch (error) {
    const failed = { machine, job, image, error, isCancelled: false };
    await recordFailure(host, config.store, failed, {
      all: () => [{ at: began, note: "config", took: null }],
      areKept: () => Promise.resolve(false),
    });
    throw error;
  }
}

/**
 * Refuses what the job may not use here already, since GitLab Runner retries a failed prepare. Only prepare knows the image
 * of a job that names none, and the services that belong to that image.
 */
async function checkImages(
  host: Host,
  config: Config,
  job: Job,
  image: string,
): Promise<Chroot | null> {
  const chroot = await checkJobImage(host, config, job, image);
  const defined = chroot?.own.find(({ services }) => services !== undefined)?.services;
  const services = defined ?? config.services;
  if (services.length > 0 || job.services.length > 0) {
    const { checkServices } = await import("../app/service_requests.ts");
    await checkServices(host, config, job, { services });
  }
  return chroot;
}
