import type { CommandSpec } from "../app/command.ts";
import { ID } from "./options.ts";

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
