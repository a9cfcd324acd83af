/** Options and arguments that several commands take. */

import type { OptionSpec, PositionalSpec } from "../app/command.ts";

/** The chroot of a command, by name or image. */
export const IMAGE: PositionalSpec = {
  name: "image",
  help: "The chroot, by its name or as a job's `image:` names it",
  required: false,
};

/** The image of a call that names none. */
export const DEFAULT_IMAGE: OptionSpec = {
  name: "default-image",
  value: "IMAGE",
  help: "The image if neither the command line nor the job names one",
};

/** Options that every command takes, before or after its name. */
export const GLOBAL_OPTIONS: readonly OptionSpec[] = [
  { name: "help", short: "h", help: "Show this help" },
  { name: "verbose", short: "v", help: "Print each step to stderr" },
  { name: "debug", help: "Also print each command line, with its exit code and duration" },
  { name: "version", help: "Print the version" },
  {
    name: "config",
    value: "FILE",
    help:
      "The configuration file; default: $NSPAWN_RUNNER_CONFIG, else /etc/nspawn-runner/config.toml",
  },
];

/** The job of a call by hand. */
export const ID: OptionSpec = {
  name: "id",
  value: "ID",
  help: "The job's id; default: the id of the job that GitLab Runner runs",
};
