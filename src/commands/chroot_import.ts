import { resolve } from "@std/path/posix";
import type { CommandRun } from "../app/command.ts";
import { withChrootHousekeeping } from "../app/with_chroots.ts";
import { importChroot } from "../chroots/transfer/import.ts";
import { isChrootName, NAME_RULE } from "../config/chroot_name.ts";
import { usageError } from "../failure.ts";

/** Makes a chroot, or its next generation, from a file of chroot-export. */
export const run: CommandRun = async (invocation, context) => {
  const { file = "", name } = invocation.positionals;
  if (name !== undefined && !isChrootName(name)) {
    throw usageError(`Cannot use ${JSON.stringify(name)}: it is not a name of a chroot`, NAME_RULE);
  }
  const made = await withChrootHousekeeping(
    context,
    (chrootContext) => importChroot(chrootContext, resolve(file), name),
  );
  context.host.log.info(`Chroot ${made} ready`);
};
