/** The commands that GitLab Runner calls at the stages of a job. A job calls no others, and does not load their table. */

import type { CommandSpec, OptionSpec } from "../app/command.ts";
import { DEFAULT_IMAGE, IMAGE } from "./options.ts";

const ID: OptionSpec = {
  name: "id",
  value: "ID",
  help: "The job's id; default: the id of the job that GitLab Runner runs",
};

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

/** The prepare stage. */
export const PREPARE: CommandSpec = {
  name: "prepare",
  summary: "Prepare stage of GitLab Runner: start a job's machine",
  description:
    "The image is the one on the command line, else the job's, else --default-image, else default_image in the configuration.",
  example: "nspawn-runner prepare --id 42 bookworm",
  positionals: [IMAGE],
  options: [ID, DEFAULT_IMAGE],
  needsRoot: true,
  load: () => import("../commands/prepare.ts"),
};

/** The run stage of each script. */
export const RUN: CommandSpec = {
  name: "run",
  summary: "Run stage of GitLab Runner: run a script in a job's machine",
  description:
    "Called by a person, exits with the script's own code, or with 125 if the host failed.",
  example: "nspawn-runner run --id 42 build.sh",
  positionals: [
    { name: "script", help: "A script on this host", required: true },
    { name: "stage", help: "The name that GitLab Runner gives the stage", required: false },
  ],
  options: [
    ID,
    {
      name: "shell",
      value: "SHELL",
      help: "The shell; default: the program in the script's first line",
    },
  ],
  needsRoot: true,
  runsScript: true,
  load: () => import("../commands/run.ts"),
};

/** The cleanup stage. */
export const CLEANUP: CommandSpec = {
  name: "cleanup",
  summary: "Cleanup stage of GitLab Runner: end a job's machine",
  description: "Removes everything that the machine wrote. Succeeds if there is no machine.",
  example: "nspawn-runner cleanup --id 42",
  positionals: [],
  options: [ID],
  needsRoot: true,
  load: () => import("../commands/cleanup.ts"),
};

/** In the order in which GitLab Runner calls them. */
export const STAGE_COMMANDS: readonly CommandSpec[] = [GITLAB_CONFIG, PREPARE, RUN, CLEANUP];
