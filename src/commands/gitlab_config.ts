import { chooseMachine } from "../app/choices.ts";
import type { CommandRun } from "../app/command.ts";
import { checkJobImage } from "../app/job_image.ts";
import { scriptShell } from "../chroots/find/script_shell.ts";
import { configAnswer, type Decisions } from "../gitlab/config_stage.ts";
import { readJob } from "../gitlab/job.ts";

/** Answers the config stage. */
export const run: CommandRun = async (invocation, { host, config: load }) => {
  const began = host.clock.now();
  const job = await readJob(host);
  let decisions: Decisions | undefined;
  let shell: string | undefined;
  if (job !== null) {
    const { name, server } = await chooseMachine(invocation, job);
    // An image that the job may not use is refused here already, since GitLab Runner retries a failed prepare.
    const chroot = job.image === undefined
      ? undefined
      : await checkJobImage(host, await load(), job, job.image);
    decisions = { machine: name, server, chroot: chroot?.name, began };
    // What GitLab Runner writes for bash runs in busybox's sh as well.
    if (chroot !== undefined) shell = chroot === null ? "bash" : await scriptShell(host, chroot);
  }
  const answer = configAnswer({ hostname: host.hostname(), shell, decisions });
  host.terminal.out(JSON.stringify(answer) + "\n");
};
