import { checkChroots, chooseChroots, maintainChroots } from "../chroots/build/maintain.ts";
import type { CommandRun } from "../app/command.ts";
import { withChroots } from "../app/with_chroots.ts";

/** Brings some chroots, or all that are defined, up to date. */
export const run: CommandRun = async (invocation, context) => {
  await withChroots(context, async (work) => {
    const names = await chooseChroots(work, invocation.words);
    if (names.length === 0) context.host.log.info("Nothing to do: no chroot is defined");
    if (invocation.switches.has("check")) await checkChroots(work, names);
    else await maintainChroots(work, names);
  });
};
