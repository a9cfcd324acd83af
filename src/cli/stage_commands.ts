/** The commands that GitLab Runner calls at the stages of a job. A job calls no others, and each call loads its own alone. */

import type { CommandSpec } from "../app/command.ts";
import { CLEANUP } from "./cleanup_command.ts";
import { GITLAB_CONFIG } from "./gitlab_config_command.ts";
import { PREPARE } from "./prepare_command.ts";
import { RUN } from "./run_command.ts";

/** In the order in which GitLab Runner calls them. */
export const STAGE_COMMANDS: readonly CommandSpec[] = [GITLAB_CONFIG, PREPARE, RUN, CLEANUP];
