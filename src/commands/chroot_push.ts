import { resolveChroot } from "../chroots/find/resolve.ts";
import { pushChroot } from "../chroots/transfer/push.ts";
import type { CommandRun } from "../app/command.ts";
import { withChroots } from "../app/with_chroots.ts";

/** Puts a chroot into a registry. */
export const run: CommandRun = async (invocation, context) => {
  const { host, config: load } = context;
  const { image = "", target = "" } = invocation.positionals;
  const chroot = await resolveChroot(host, await load(), image);
  const digest = await withChroots(context, (chroots) => pushChroot(chroots, chroot, target));
  host.log.info(`Chroot ${chroot.name} is ${target} (${digest})`);
  host.log.info(`Elsewhere, its definition says: source = "docker:${target}"`);
};
