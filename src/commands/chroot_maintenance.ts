import type { CommandRun } from "../app/command.ts";
import { withChrootHousekeeping, withChroots } from "../app/with_chroots.ts";
import { checkChroots, chooseChroots, maintainChroots } from "../chroots/build/maintain.ts";

/**
 * Brings some chroots, or all that are defined, up to date. With --check, only logs what would be
 * done.
 */
export const run: CommandRun = async (invocation, context) => {
  const isCheck = invocation.switches.has("check");
  const [withContext, act] = isCheck
    ? [withChroots, checkChroots]
    : [withChrootHousekeeping, maintainChroots];
  await withContext(context, async (chrootContext) => {
    const names = await chooseChroots(chrootContext, invocation.allPositionals);
    if (names.length === 0) context.host.log.info("Nothing to do: no chroot is defined");
    await act(chrootContext, names);
  });
};
