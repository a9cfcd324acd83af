import type { CommandRun } from "../app/command.ts";
import { withChroots } from "../app/with_chroots.ts";
import { resolveChroot } from "../chroots/find/resolve.ts";
import { rollBack } from "../chroots/generations/rollback.ts";
import { usageError } from "../failure.ts";

/** Makes an earlier generation of a chroot current. */
export const run: CommandRun = async (invocation, context) => {
  const { host, config: load } = context;
  const { image = "", generation } = invocation.positionals;
  if (generation !== undefined && !/^\d{1,9}$/.test(generation)) {
    throw usageError(
      `Cannot use ${JSON.stringify(generation)}: a generation is a number`,
      "Example: nspawn-runner chroot-rollback bookworm 3",
    );
  }
  const { name } = await resolveChroot(host, await load(), image);
  const wanted = generation === undefined ? undefined : Number(generation);
  const number = await withChroots(
    context,
    (chrootContext) => rollBack(chrootContext, name, wanted),
  );
  host.log.info(`Chroot ${name} is generation ${number} again`);
};
