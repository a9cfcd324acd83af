import { resolveChroot } from "../chroots/find.ts";
import type { CommandRun } from "../cli/spec.ts";
import { configAnswer } from "../gitlab/config_stage.ts";
import { readJob } from "../gitlab/job.ts";

/** Answers the config stage. */
export const run: CommandRun = async (_invocation, { host, config: load }) => {
  const job = await readJob(host);
  // An image that the job itself names is decided here, where a refusal costs no retry.
  if (job?.image !== undefined) await resolveChroot(host, await load(), job.image);
  host.terminal.out(JSON.stringify(configAnswer()) + "\n");
};
