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
