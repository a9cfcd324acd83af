import { resolveForJob } from "../chroots/find/resolve.ts";
import { scriptShell } from "../chroots/find/script_shell.ts";
import type { CommandRun } from "../app/command.ts";
import { configAnswer, type Decisions } from "../gitlab/config_stage.ts";
import { readJob } from "../gitlab/job.ts";
import { chooseMachine } from "../app/choices.ts";

/** Answers the config stage. */
export const run: CommandRun = async (invocation, { host, config: load }) => {
  const began = host.clock.now();
  const job = await readJob(host);
  let decisions: Decisions | undefined;
  let shell: string | undefined;
  if (job !== null) {
    const { name, server } = await chooseMachine(invocation, job);
    // An unknown image is refused here already, since GitLab Runner retries a failed prepare.
    const chroot = job.image === undefined
      ? undefined
      : await resolveForJob(host, await load(), job.image);
    decisions = { machine: name, server, chroot: chroot?.name, began };
    if (chroot !== undefined) shell = await scriptShell(host, chroot);
  }
  const answer = configAnswer({ hostname: host.hostname(), shell, decisions });
  host.terminal.out(JSON.stringify(answer) + "\n");
};
