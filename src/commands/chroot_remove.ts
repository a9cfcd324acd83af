import { removeChroot } from "../chroots/remove.ts";
import type { CommandRun } from "../cli/spec.ts";
import { working } from "./chroot_work.ts";

/** Removes a chroot. */
export const run: CommandRun = async (invocation, context) => {
  const image = invocation.positionals["image"] ?? "";
  const whenIdle = invocation.switches.has("when-idle");
  await working(context, (work) => removeChroot(work, image, whenIdle));
};
