import { chooseChroots, maintainChroots } from "../chroots/maintain.ts";
import type { CommandRun } from "../cli/spec.ts";
import { working } from "./chroot_work.ts";

/** Brings one chroot, or all that are defined, up to date. */
export const run: CommandRun = async (invocation, context) => {
  await working(context, async (work) => {
    const names = await chooseChroots(work, invocation.positionals["image"]);
    if (names.length === 0) context.host.log.info("Nothing to do: no chroot is defined");
    await maintainChroots(work, names);
  });
};
