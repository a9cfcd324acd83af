import { chooseImage } from "../app/choices.ts";
import type { CommandRun } from "../app/command.ts";
import { withChrootHousekeeping } from "../app/with_chroots.ts";
import { logIn, logInDirectly } from "../chroots/build/login.ts";
import { resolveChroot } from "../chroots/find/resolve.ts";
import { readJob } from "../gitlab/job.ts";

/** Opens a shell in a chroot. */
export const run: CommandRun = async (invocation, context) => {
  const { host, config: load } = context;
  const config = await load();
  const image = chooseImage(invocation, await readJob(host), config);
  const chroot = await resolveChroot(host, config, image);
  const enter = invocation.switches.has("direct") ? logInDirectly : logIn;
  return await withChrootHousekeeping(context, (chrootContext) => enter(chrootContext, chroot));
};
