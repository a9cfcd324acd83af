import { removeChroot } from "../chroots/remove.ts";
import type { CommandRun } from "../cli/spec.ts";
import { machinesOf } from "./chroot_work.ts";

/** Removes a chroot. */
export const run: CommandRun = async (invocation, { host, config: load }) => {
  const config = await load();
  const image = invocation.positionals["image"] ?? "";
  await removeChroot(host, config, image, machinesOf(host, config.store));
};
