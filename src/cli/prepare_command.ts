import type { CommandSpec } from "../app/command.ts";
import { DEFAULT_IMAGE, ID, IMAGE } from "./options.ts";

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
