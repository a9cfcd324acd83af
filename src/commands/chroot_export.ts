import { resolve } from "@std/path/posix";
import type { CommandRun } from "../app/command.ts";
import { withChroots } from "../app/with_chroots.ts";
import { resolveChroot } from "../chroots/find/resolve.ts";
import { exportChroot } from "../chroots/transfer/export.ts";

/** Writes a chroot into a file. */
export const run: CommandRun = async (invocation, context) => {
  const { host, config: load } = context;
  const { image = "", file = "" } = invocation.positionals;
  const chroot = await resolveChroot(host, await load(), image);
  await withChroots(context, (chrootContext) => exportChroot(chrootContext, chroot, resolve(file)));
  host.log.info(`Chroot ${chroot.name} is in ${file}`);
};
