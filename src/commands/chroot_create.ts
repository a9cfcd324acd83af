import { chooseImage } from "../app/choices.ts";
import type { CommandRun } from "../app/command.ts";
import { withChrootHousekeeping } from "../app/with_chroots.ts";
import { createChroot } from "../chroots/build/create.ts";
import { namesOfImage } from "../config/chroot_name.ts";
import { readJob } from "../gitlab/job.ts";

/** Creates a chroot. */
export const run: CommandRun = async (invocation, context) => {
  const { host, config: load } = context;
  const began = host.clock.now();
  const image = chooseImage(invocation, await readJob(host), await load());
  const [name] = namesOfImage(image);
  if (name === undefined) return;
  await withChrootHousekeeping(
    context,
    (chrootContext) => createChroot(chrootContext, name, invocation.options["suite"]),
  );
  host.log.info(`Chroot ${name} ready in ${Math.round((host.clock.now() - began) / 1000)} s`);
};
