import type { CommandRun } from "../app/command.ts";
import { runnerSection } from "../app/runner_section.ts";
import { runnerToml } from "../gitlab/runner_toml.ts";

/** Prints the `[[runners]]` section for GitLab Runner's config.toml. */
export const run: CommandRun = async (invocation, context) => {
  context.host.terminal.out(runnerToml(await runnerSection(invocation, context)));
};
