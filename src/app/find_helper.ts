import type { HelperFinder } from "./machine_plan.ts";

/** Most jobs need no helper root, and pay for no import. */
export const findHelper: HelperFinder = async (host, config, job) => {
  const { helperRoots } = await import("./helper_root.ts");
  return await helperRoots(host, config, job);
};
