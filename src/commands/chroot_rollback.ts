import { changeChroot } from "../chroots/build/create.ts";
import { resolveChroot } from "../chroots/find/resolve.ts";
import { rollBack } from "../chroots/generations/current.ts";
import type { CommandRun } from "../app/command.ts";
import { usageError } from "../failure.ts";
import { withChroots } from "../app/with_chroots.ts";

/** Goes back to an earlier generation of a chroot. */
export const run: CommandRun = async (invocation, context) => {
  const { host, config: load } = context;
  const { image = "", generation } = invocation.positionals;
  if (generation !== undefined && !/^\d{1,9}$/.test(generation)) {
    throw usageError(`Cannot use ${JSON.stringify(generation)}: a generation is a number`);
  }
  const { name } = await resolveChroot(host, await load(), image);
  const wanted = generation === undefined ? undefined : Number(generation);
  const number = await withChroots(
    context,
    (work) => changeChroot(work, name, "roll back", () => rollBack(work, name, wanted)),
  );
  host.log.info(`Chroot ${name} is generation ${number} again`);
};
