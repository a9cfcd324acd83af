/** The executable itself, as src/cli/programs/start.ts. `deno compile` puts into it what these paths lead to. */

const stages = {
  "gitlab-config": () => import("./gitlab-config/gitlab-config.js"),
  prepare: () => import("./prepare/prepare.js"),
  run: () => import("./run/run.js"),
  cleanup: () => import("./cleanup/cleanup.js"),
};
const stage = Deno.args.find((word) => Object.hasOwn(stages, word));
if (stage !== undefined) await stages[stage]();
await import("./all/all.js");
