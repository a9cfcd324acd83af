import type { HelperRootFinder } from "./machine_plan.ts";

/** Loads what finds the helper root: most jobs need none. */
export const findHelperRoot: HelperRootFinder = async (host, config, job) => {
  const { ensureHelperRoot } = await import("./helper_root.ts");
  return await ensureHelperRoot(host, config, job);
};
