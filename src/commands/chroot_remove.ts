import type { CommandRun } from "../app/command.ts";
import { withChrootHousekeeping } from "../app/with_chroots.ts";
import { removeChroot } from "../chroots/build/remove.ts";

/** Removes a chroot. */
export const run: CommandRun = async (invocation, context) => {
  const image = invocation.positionals["image"] ?? "";
  const whenIdle = invocation.switches.has("when-idle");
  await withChrootHousekeeping(
    context,
    (chrootContext) => removeChroot(chrootContext, image, whenIdle),
  );
};
