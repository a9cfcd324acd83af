import type { CommandSpec } from "../app/command.ts";
import { ID } from "./options.ts";

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
