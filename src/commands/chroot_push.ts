import type { CommandRun } from "../app/command.ts";
import { withChroots } from "../app/with_chroots.ts";
import { resolveChroot } from "../chroots/find/resolve.ts";
import { pushChroot } from "../chroots/transfer/push.ts";

/** Pushes a chroot to a registry. */
export const run: CommandRun = async (invocation, context) => {
  const { host, config: load } = context;
  const { image = "", target = "" } = invocation.positionals;
  const chroot = await resolveChroot(host, await load(), image);
  const digest = await withChroots(
    context,
    (chrootContext) => pushChroot(chrootContext, chroot, target),
  );
  host.log.info(`Chroot ${chroot.name} is pushed to ${target} (${digest})`);
  host.log.info(`On other hosts, write in its definition: source = "docker:${target}"`);
};
