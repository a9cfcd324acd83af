/** The one table of commands: parsing, help and usage errors come from it. */

import type { CommandSpec, OptionSpec, PositionalSpec } from "../app/command.ts";

const IMAGE: PositionalSpec = {
  name: "image",
  help: "The chroot, as a job's `image:` names it",
  required: false,
};

const DEFAULT_IMAGE: OptionSpec = {
  name: "default-image",
  value: "IMAGE",
  help: "The image when nobody else names one",
};

const ID: OptionSpec = {
  name: "id",
  value: "ID",
  help: "The job's id; default: the id of GitLab Runner's job",
};

/** All commands, in the order in which help lists them. */
export const COMMANDS: readonly CommandSpec[] = [
  {
    name: "chroot-create",
    summary: "Make a chroot",
    description:
      "Makes the chroot as its definition says, or with mmdebstrap or debootstrap, then tests it: a machine starts from it, shell and git run. " +
      "Without --suite the suite is that of the definition, else the chroot's own name where it is one, else unstable.",
    example: "nspawn-runner chroot-create bookworm",
    positionals: [IMAGE],
    options: [
      DEFAULT_IMAGE,
      { name: "suite", value: "SUITE", help: "The suite to make it from" },
    ],
    needsRoot: true,
    load: () => import("../commands/chroot_create.ts"),
  },
  {
    name: "chroot-list",
    summary: "List chroots and definitions",
    description:
      "A table on a terminal, a line with name and path for each elsewhere. Definitions that no chroot was made from yet are listed too.",
    example: "nspawn-runner chroot-list --json",
    positionals: [],
    options: [{ name: "json", help: "Print JSON" }],
    needsRoot: false,
    load: () => import("../commands/chroot_list.ts"),
  },
  {
    name: "chroot-login",
    summary: "Open a shell in a chroot",
    description:
      "In a copy, which is the chroot's new generation when the shell has ended. On a terminal it asks before; elsewhere a shell that fails leaves the chroot as it was. With --direct in the chroot itself, which is refused while jobs read it.",
    example: "nspawn-runner chroot-login bookworm",
    positionals: [IMAGE],
    options: [DEFAULT_IMAGE, { name: "direct", help: "Change the chroot itself, at once" }],
    needsRoot: true,
    runsScript: true,
    load: () => import("../commands/chroot_login.ts"),
  },
  {
    name: "chroot-maintenance",
    summary: "Recreate or update chroots",
    description:
      "Makes what is defined and missing, recreates what is defined so or starts from an image or chroot that changed, and brings a copy of the rest up to date: packages, then what the definition and the playbook say. Jobs that run are not disturbed. Goes on after a failure, and ends with 1 when there was one.",
    example: "nspawn-runner chroot-maintenance --check",
    positionals: [{
      ...IMAGE,
      help: "Some chroots; all that have a definition or a playbook without it",
      repeats: true,
    }],
    options: [{ name: "check", help: "Only say what would be done" }],
    needsRoot: true,
    load: () => import("../commands/chroot_maintenance.ts"),
  },
  {
    name: "chroot-rollback",
    summary: "Go back to an earlier generation of a chroot",
    description:
      "Jobs that start from then on get it, jobs that run keep theirs. chroot-list shows generations; keep_generations in the configuration says how many stay.",
    example: "nspawn-runner chroot-rollback bookworm",
    positionals: [
      { ...IMAGE, required: true },
      {
        name: "generation",
        help: "Its number; the one before the current one without it",
        required: false,
      },
    ],
    options: [],
    needsRoot: true,
    load: () => import("../commands/chroot_rollback.ts"),
  },
  {
    name: "chroot-push",
    summary: "Put a chroot into a registry",
    description:
      "The current generation, as an image of one layer, with skopeo and umoci. A definition with that image as its source pulls it on any host. Credentials come from the file that skopeo login writes.",
    example: "nspawn-runner chroot-push bookworm registry.example.com/ci/bookworm:latest",
    positionals: [
      { ...IMAGE, required: true },
      { name: "target", help: "REGISTRY/REPOSITORY:TAG", required: true },
    ],
    options: [],
    needsRoot: true,
    load: () => import("../commands/chroot_push.ts"),
  },
  {
    name: "chroot-export",
    summary: "Write a chroot into a file",
    description: "The current generation with its definition, its playbook and checksums.",
    example: "nspawn-runner chroot-export bookworm bookworm.tar.zst",
    positionals: [
      { ...IMAGE, required: true },
      { name: "file", help: "Where; what is there is replaced", required: true },
    ],
    options: [],
    needsRoot: true,
    load: () => import("../commands/chroot_export.ts"),
  },
  {
    name: "chroot-import",
    summary: "Make a chroot, or its next generation, from a file",
    description:
      "The file is one of chroot-export, and is checked before anything is made of it. Its definition is laid down where the chroot has none here.",
    example: "nspawn-runner chroot-import bookworm.tar.zst",
    positionals: [
      { name: "file", help: "The file", required: true },
      { name: "name", help: "The chroot's name; the one in the file without it", required: false },
    ],
    options: [],
    needsRoot: true,
    load: () => import("../commands/chroot_import.ts"),
  },
  {
    name: "chroot-remove",
    summary: "Remove a chroot",
    description:
      "With all its generations; its definition and playbook stay. A chroot that machines run from is not removed.",
    example: "nspawn-runner chroot-remove bookworm",
    positionals: [{ ...IMAGE, required: true }],
    options: [{ name: "when-idle", help: "Wait for machines that run from it" }],
    needsRoot: true,
    load: () => import("../commands/chroot_remove.ts"),
  },
  {
    name: "simulate",
    summary: "Play GitLab Runner for one job",
    description:
      "Calls config, prepare, every run stage and cleanup as GitLab Runner does, and exits with the job's code. Without a script and a command it runs a sample.",
    example: "nspawn-runner simulate --image bookworm -- make test",
    positionals: [{ name: "script", help: "A script on this host", required: false }],
    options: [
      { name: "image", value: "NAME", help: "The job's image" },
      {
        name: "variable",
        value: "NAME=VALUE",
        repeats: true,
        help: "A variable of the job, its value as it stands; may be given more than once",
      },
    ],
    rest: "COMMAND",
    needsRoot: true,
    runsScript: true,
    load: () => import("../commands/simulate.ts"),
  },
  {
    name: "list",
    summary: "List the machines of jobs",
    description:
      "State, age and memory of each, with the id that `shell` and `cleanup --id` take; lines without headings where stdout is no terminal.",
    example: "nspawn-runner list --json",
    positionals: [],
    options: [{ name: "json", help: "Print JSON" }],
    needsRoot: true,
    load: () => import("../commands/list.ts"),
  },
  {
    name: "shell",
    summary: "Open a shell in the machine of a job",
    description:
      "Beside the job while that runs; afterwards in what a failed job wrote, where keep_failed in the configuration keeps that for a while.",
    example: "nspawn-runner shell 42",
    positionals: [{ name: "id", help: "The job's id, or what `list` shows", required: true }],
    options: [{ name: "done", help: "Give up what is kept, instead" }],
    needsRoot: true,
    runsScript: true,
    load: () => import("../commands/shell.ts"),
  },
  {
    name: "gc",
    summary: "Remove what nobody needs any more",
    description:
      "Ends machines whose runner has ended, whose deadline is over or which an earlier boot left, removes what no record stands for, and drops caches above their limits. Each with its reason; a running job is never touched.",
    example: "nspawn-runner gc --dry-run",
    positionals: [],
    options: [{ name: "dry-run", help: "Only say what would be removed" }],
    needsRoot: true,
    load: () => import("../commands/gc.ts"),
  },
  {
    name: "doctor",
    summary: "Check this host",
    description:
      "Versions, limits, the store and its storage, chroots and their definitions, user namespaces, network, gitlab-runner and its config.toml, timers: each ok, weak or broken, with what mends it. With --machine it also starts a machine, and looks from inside at what is promised of it. Ends with 1 when something is broken.",
    example: "nspawn-runner doctor --machine bookworm",
    positionals: [],
    options: [
      { name: "machine", value: "IMAGE", help: "Start a machine of this image, too" },
      { name: "json", help: "Print JSON" },
    ],
    needsRoot: true,
    load: () => import("../commands/doctor.ts"),
  },
  {
    name: "toml",
    summary: "Print the section for GitLab Runner's config.toml",
    description:
      "Append it to /etc/gitlab-runner/config.toml, or move its lines into a section that is already registered. The token never stands on the command line.",
    example: "nspawn-runner toml --url https://gitlab.example.com/ --token-file token",
    positionals: [],
    options: [
      { name: "url", value: "URL", help: "GitLab's address" },
      { name: "token-file", value: "FILE", help: "A file with the runner's token" },
    ],
    needsRoot: false,
    load: () => import("../commands/toml.ts"),
  },
  {
    name: "gitlab-config",
    summary: "GitLab Runner's config stage",
    example: "nspawn-runner gitlab-config",
    positionals: [],
    options: [],
    needsRoot: false,
    load: () => import("../commands/gitlab_config.ts"),
  },
  {
    name: "prepare",
    summary: "GitLab Runner's prepare stage: start a job's machine",
    description:
      "The image is the one on the command line, else the job's, else --default-image, else default_image of the configuration.",
    example: "nspawn-runner prepare --id 42 bookworm",
    positionals: [IMAGE],
    options: [ID, DEFAULT_IMAGE],
    needsRoot: true,
    load: () => import("../commands/prepare.ts"),
  },
  {
    name: "run",
    summary: "GitLab Runner's run stage: run a script in a job's machine",
    description: "By hand it exits with the script's own code, and with 125 when the host failed.",
    example: "nspawn-runner run --id 42 build.sh",
    positionals: [
      { name: "script", help: "A script on this host", required: true },
      { name: "stage", help: "GitLab Runner's name of the stage", required: false },
    ],
    options: [
      ID,
      { name: "shell", value: "SHELL", help: "What runs it; default: what its first line says" },
    ],
    needsRoot: true,
    runsScript: true,
    load: () => import("../commands/run.ts"),
  },
  {
    name: "cleanup",
    summary: "GitLab Runner's cleanup stage: end a job's machine",
    description: "Removes all that the machine wrote. Succeeds when there is nothing.",
    example: "nspawn-runner cleanup --id 42",
    positionals: [],
    options: [ID],
    needsRoot: true,
    load: () => import("../commands/cleanup.ts"),
  },
];

/** Options that every command takes, before or after its name. */
export const GLOBAL_OPTIONS: readonly OptionSpec[] = [
  { name: "help", short: "h", help: "Show this help" },
  { name: "verbose", short: "v", help: "Say each step, on stderr" },
  { name: "debug", help: "Say each command line with its code and time as well" },
  { name: "version", help: "Print the version" },
  {
    name: "config",
    value: "FILE",
    help: "The configuration; default: $NSPAWN_RUNNER_CONFIG, else /etc/nspawn-runner/config.toml",
  },
];
