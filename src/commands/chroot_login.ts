import { resolveChroot } from "../chroots/find.ts";
import { logIn } from "../chroots/login.ts";
import type { CommandRun } from "../cli/spec.ts";
import { readJob } from "../gitlab/job.ts";
import { chooseImage } from "./choices.ts";
import { machinesOf } from "./chroot_work.ts";

/** Opens a shell in a chroot. */
export const run: CommandRun = async (invocation, { host, config: load }) => {
  const config = await load();
  const image = chooseImage(invocation, await readJob(host), config);
  const chroot = await resolveChroot(host, config, image);
  return await logIn(host, config.store, chroot, machinesOf(host, config.store));
};
