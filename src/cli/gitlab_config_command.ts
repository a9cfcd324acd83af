import type { CommandSpec } from "../app/command.ts";

/** The config stage. */
export const GITLAB_CONFIG: CommandSpec = {
  name: "gitlab-config",
  summary: "Config stage of GitLab Runner: print the settings of a job",
  example: "nspawn-runner gitlab-config",
  positionals: [],
  options: [],
  needsRoot: false,
  load: () => import("../commands/gitlab_config.ts"),
};
