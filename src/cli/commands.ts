/** The table of all commands. Parsing, help, errors of usage and docs/reference/commands.md come from it. */

import type { CommandSpec } from "../app/command.ts";
import { CHROOT_COMMANDS } from "./chroot_commands.ts";
import { HOST_COMMANDS } from "./host_commands.ts";
import { JOB_COMMANDS } from "./job_commands.ts";
import { STAGE_COMMANDS } from "./stage_commands.ts";

/** All commands, in the order in which help lists them. */
export const COMMANDS: readonly CommandSpec[] = [
  ...CHROOT_COMMANDS,
  ...JOB_COMMANDS,
  ...HOST_COMMANDS,
  ...STAGE_COMMANDS,
];

/** All commands, and those that the program calls itself: no help lists them. */
export const ALL_COMMANDS: readonly CommandSpec[] = [
  ...COMMANDS,
  {
    name: "pipeline-expand",
    summary: "Expand the file of a pipeline, in the machine that pipeline has started for it",
    example: "nspawn-runner pipeline-expand reader.mjs request.json answer.json",
    positionals: [
      { name: "program", help: "The changed gitlab-ci-local", required: true },
      { name: "request", help: "A file with the request", required: true },
      { name: "answer", help: "The file that is written", required: true },
    ],
    options: [],
    needsRoot: false,
    load: () => import("../commands/pipeline_expand.ts"),
  },
];
