import type { CommandRun, Context } from "../app/command.ts";
import { withChrootHousekeeping, withChroots } from "../app/with_chroots.ts";
import { recordRun } from "../history/last_runs.ts";
import { checkChroots, chooseChroots, maintainChroots } from "../chroots/build/maintain.ts";

/**
 * Brings some chroots, or all that are defined, up to date. With --check, only logs what would be
 * done.
 */
export const run: CommandRun = async (invocation, context) => {
  const isCheck = invocation.switches.has("check");
  const images = invocation.allPositionals;
  if (isCheck || images.length > 0) return await maintain(context, images, isCheck);
  try {
    await maintain(context, images, isCheck);
  } catch (error) {
    await recordMaintenance(context, true);
    throw error;
  }
  await recordMaintenance(context, false);
};

async function maintain(
  context: Context,
  images: readonly string[],
  isCheck: boolean,
): Promise<void> {
  const [withContext, act] = isCheck
    ? [withChroots, checkChroots]
    : [withChrootHousekeeping, maintainChroots];
  await withContext(context, async (chrootContext) => {
    const names = await chooseChroots(chrootContext, images);
    if (names.length === 0) {
      const { definitions } = await context.config();
      context.host.log.info(
        `Nothing to do: no chroot is defined. To define one: touch ${definitions}/NAME.toml`,
      );
    }
    await act(chrootContext, names);
  });
}

/** Monitoring sees whether all chroots are maintained, as a timer does. */
async function recordMaintenance({ host, config }: Context, failed: boolean): Promise<void> {
  await recordRun(host, (await config()).store, "maintenance", { failed });
}
