import { resolveChroot } from "../chroots/find.ts";
import type { CommandRun } from "../cli/spec.ts";
import type { MachineSettings } from "../config/settings.ts";
import { settingsFor } from "../config/load.ts";
import { readJob } from "../gitlab/job.ts";
import { type Started, startMachine } from "../machines/machine.ts";
import { chooseImage, chooseMachine } from "./choices.ts";
import { interruptible } from "./interrupt.ts";

/** Starts the machine of a job. */
export const run: CommandRun = async (invocation, { host, config: load }) => {
  const began = host.clock.now();
  const job = await readJob(host);
  const { id, machine } = await chooseMachine(invocation, job);
  const config = await load();
  const chroot = await resolveChroot(host, config, chooseImage(invocation, job, config));
  const settings = settingsFor(config, chroot.definition);
  const { name, path } = chroot;
  const plan = { name: machine, job: id, store: config.store, chroot: { name, path }, settings };
  host.log.info(`Image ${name} (${path})`);
  const started = await interruptible(host, (interrupt) => startMachine(host, plan, interrupt));
  host.log.info(describe(started, settings));
  host.log.info(`Machine ${machine} ready in ${seconds(host.clock.now() - began)} s`);
};

function describe({ lease, limits }: Started, settings: MachineSettings): string {
  const kind = lease.booted ? "booted" : "plain";
  return `Storage ${lease.storage}, ${kind}, ${limits ? limitsOf(settings) : NO_LIMITS}${
    settings.seccomp ? "" : ", seccomp off"
  }`;
}

const NO_LIMITS = "no limits: systemd is not PID 1 on this host";

function limitsOf({ limits }: MachineSettings): string {
  return [
    `CPU weight ${limits.cpu_weight}`,
    `memory high ${limits.memory_high}`,
    `memory max ${limits.memory_max}`,
    `tasks max ${limits.tasks_max}`,
  ].join(", ");
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}
