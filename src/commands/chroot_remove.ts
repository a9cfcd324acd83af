import { removeChroot } from "../chroots/build/remove.ts";
import type { CommandRun } from "../app/command.ts";
import { working } from "../app/with_chroots.ts";

/** Removes a chroot. */
export const run: CommandRun = async (invocation, context) => {
  const image = invocation.positionals["image"] ?? "";
  const whenIdle = invocation.switches.has("when-idle");
  await working(context, (work) => removeChroot(work, image, whenIdle));
};
