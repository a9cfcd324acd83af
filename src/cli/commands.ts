/** The table of all commands. Parsing, help, errors of usage and docs/reference/commands.md come from it. */

import type { CommandSpec, OptionSpec } from "../app/command.ts";
import { DEFAULT_IMAGE, IMAGE } from "./options.ts";
import { STAGE_COMMANDS } from "./stage_commands.ts";

const GITLAB_URL: OptionSpec = { name: "url", value: "URL", help: "The address of GitLab" };

const TOKEN_FILE: OptionSpec = {
  name: "token-file",
  value: "FILE",
  help: "A file with only the runner's token",
};

const RUNNER_IMAGE: OptionSpec = {
  name: "default-image",
  value: "IMAGE",
  help: "The image of jobs without image:; default: the only chroot there is",
};

const since = (standard: string): OptionSpec => ({
  name: "since",
  value: "AGE",
  help: `Only jobs that ended within this time, such as 12h or 7d; default: ${standard}`,
});

/** All commands, in the order in which help lists them. */
export const COMMANDS: readonly CommandSpec[] = [
  {
    name: "chroot-create",
    summary: "Create a chroot",
    description:
      "Builds the chroot from its definition, or with mmdebstrap or debootstrap where it has none. Then a machine starts from it and runs its shell and git; a chroot that fails this test is not used. " +
      "Without --suite, the suite is the one in the definition, else the chroot's name if that is a suite, else unstable.",
    example: "nspawn-runner chroot-create bookworm",
    positionals: [IMAGE],
    options: [
      DEFAULT_IMAGE,
      { name: "suite", value: "SUITE", help: "The Debian or Ubuntu suite to build it from" },
    ],
    needsRoot: true,
    load: () => import("../commands/chroot_create.ts"),
  },
  {
    name: "chroot-list",
    summary: "List chroots and definitions",
    description:
      "Prints a table on a terminal, and one line with name and path for each chroot otherwise. Definitions without a chroot are listed too.",
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
      "Opens the shell in a copy, which becomes the chroot's new generation when the shell ends. On a terminal you are asked first; otherwise a shell that fails leaves the chroot unchanged. With --direct, the shell changes the chroot itself, which is refused while machines use it.",
    example: "nspawn-runner chroot-login bookworm",
    positionals: [IMAGE],
    options: [DEFAULT_IMAGE, {
      name: "direct",
      help: "Change the chroot itself instead of a copy",
    }],
    needsRoot: true,
    runsScript: true,
    load: () => import("../commands/chroot_login.ts"),
  },
  {
    name: "chroot-maintenance",
    summary: "Create, recreate or update chroots",
    description:
      "Creates chroots that are defined and do not exist, recreates those whose definition asks for it or whose image or base chroot has changed, and updates a copy of all others: first packages, then the steps of the definition and the playbook. Running jobs are not disturbed. After a failure, continues with the next chroot, and exits with 1.",
    example: "nspawn-runner chroot-maintenance --check",
    positionals: [{
      ...IMAGE,
      help: "Chroots; default: all with a definition or a playbook",
      repeats: true,
    }],
    options: [{ name: "check", help: "Only print what would be done" }],
    needsRoot: true,
    load: () => import("../commands/chroot_maintenance.ts"),
  },
  {
    name: "chroot-rollback",
    summary: "Return to an earlier generation of a chroot",
    description:
      "New jobs get the earlier generation, running jobs keep theirs. chroot-list shows all generations; keep_generations in the configuration is how many are kept.",
    example: "nspawn-runner chroot-rollback bookworm",
    positionals: [
      { ...IMAGE, required: true },
      {
        name: "generation",
        help: "Its number; default: the one before the current one",
        required: false,
      },
    ],
    options: [],
    needsRoot: true,
    load: () => import("../commands/chroot_rollback.ts"),
  },
  {
    name: "chroot-push",
    summary: "Push a chroot to a registry",
    description:
      "Pushes the current generation as an image with one layer, by skopeo and umoci. A definition with this image as its source pulls it on any host. Credentials come from the file that skopeo login writes.",
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
    summary: "Export a chroot to a file",
    description: "Writes the current generation with its definition, its playbook and checksums.",
    example: "nspawn-runner chroot-export bookworm bookworm.tar.zst",
    positionals: [
      { ...IMAGE, required: true },
      { name: "file", help: "The file; an existing one is replaced", required: true },
    ],
    options: [],
    needsRoot: true,
    load: () => import("../commands/chroot_export.ts"),
  },
  {
    name: "chroot-import",
    summary: "Import a chroot, or its next generation, from a file",
    description:
      "Verifies the checksums of a file that chroot-export wrote, then unpacks it. The definition and the playbook in it are installed if the chroot has none on this host.",
    example: "nspawn-runner chroot-import bookworm.tar.zst",
    positionals: [
      { name: "file", help: "The exported file", required: true },
      { name: "name", help: "The chroot's name; default: the name in the file", required: false },
    ],
    options: [],
    needsRoot: true,
    load: () => import("../commands/chroot_import.ts"),
  },
  {
    name: "chroot-remove",
    summary: "Remove a chroot",
    description:
      "Removes all its generations, but not its definition and playbook. A chroot that machines use is not removed.",
    example: "nspawn-runner chroot-remove bookworm",
    positionals: [{ ...IMAGE, required: true }],
    options: [{ name: "when-idle", help: "Wait until no machine uses it" }],
    needsRoot: true,
    load: () => import("../commands/chroot_remove.ts"),
  },
  {
    name: "image-list",
    summary: "List pulled images",
    description:
      "Prints a table on a terminal, and one line with digest and names for each image otherwise. Layers that several images share count for each of them.",
    example: "nspawn-runner image-list --json",
    positionals: [],
    options: [{ name: "json", help: "Print JSON" }],
    needsRoot: true,
    load: () => import("../commands/image_list.ts"),
  },
  {
    name: "image-pull",
    summary: "Pull an image from a registry",
    description:
      "Pulls the image if the registry has another one than this host, and prints its digest. A pattern of pull in the configuration must allow it. Credentials come from root's own files, such as the one that skopeo login writes.",
    example: "nspawn-runner image-pull docker.io/library/alpine:3.22",
    positionals: [{
      name: "image",
      help: "As a job names it: [REGISTRY/]REPOSITORY[:TAG][@DIGEST]",
      required: true,
    }],
    options: [],
    needsRoot: true,
    load: () => import("../commands/image_pull.ts"),
  },
  {
    name: "image-remove",
    summary: "Remove a pulled image",
    description:
      "Removes the image with those of its layers that no other image has. An image that machines use is not removed. gc removes images beyond images_max_size and images_max_age.",
    example: "nspawn-runner image-remove docker.io/library/alpine:3.22",
    positionals: [{
      name: "image",
      help: "Its name, or the beginning of its digest",
      required: true,
    }],
    options: [],
    needsRoot: true,
    load: () => import("../commands/image_remove.ts"),
  },
  {
    name: "simulate",
    summary: "Play GitLab Runner for one job",
    description:
      "Calls config, prepare, every run stage and cleanup as GitLab Runner does, and exits with the job's code. Without a script and a command, runs a sample job.",
    example: "nspawn-runner simulate --image bookworm -- make test",
    positionals: [{ name: "script", help: "A script on this host", required: false }],
    options: [
      { name: "image", value: "NAME", help: "The job's image" },
      {
        name: "variable",
        value: "NAME=VALUE",
        repeats: true,
        help: "A variable of the job; may be given more than once",
      },
      {
        name: "service",
        value: "IMAGE[=ALIAS]",
        repeats: true,
        help: "A service of the job; may be given more than once",
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
      "Prints state, age and memory of each machine, with the id for `shell` and `cleanup --id`; without headings if stdout is not a terminal. Machines of services follow that of their job, with the id JOB/ALIAS.",
    example: "nspawn-runner list --json",
    positionals: [],
    options: [{ name: "json", help: "Print JSON" }],
    needsRoot: true,
    load: () => import("../commands/list.ts"),
  },
  {
    name: "explain",
    summary: "Explain a job that runs or has ended",
    description:
      "Prints what the job was, how long each call and each part of its prepare took (as bars on a terminal), what it used of its limits, how it ended and why, and which setting would have helped. Of a job with several attempts the last one is explained.",
    example: "nspawn-runner explain 42",
    positionals: [{
      name: "job",
      help: "The job's id, or the id that `list` shows",
      required: true,
    }],
    options: [{
      name: "json",
      help: "Print the record as JSON, with the state of a job that runs",
    }],
    needsRoot: true,
    load: () => import("../commands/explain.ts"),
  },
  {
    name: "history",
    summary: "List jobs that have ended",
    description:
      "Prints when and how each job ended, how long it and its prepare took, and what it used; the last one first, and without headings if stdout is not a terminal. A job whose prepare GitLab Runner repeated has a line for each attempt. history_max_age and history_max_size in the configuration are how much is kept.",
    example: "nspawn-runner history --failed --since 2d",
    positionals: [],
    options: [
      { name: "project", value: "PATH", help: "Only jobs of this project, or of this group" },
      { name: "failed", help: "Only jobs that did not succeed" },
      since("1d"),
      { name: "json", help: "Print the whole records as JSON" },
    ],
    needsRoot: true,
    load: () => import("../commands/history.ts"),
  },
  {
    name: "report",
    summary: "Report on jobs that have ended",
    description:
      "Prints how jobs ended and why the host failed some, by day, image and project: times of prepare, stages and cleanup (half of them, and 95 of 100, are not longer), CPU, memory and files, the parts of prepare, and how often images were pulled. With --html, writes one page with plots that needs no network; a new file can be read by root alone.",
    example: "nspawn-runner report --since 30d --html report.html",
    positionals: [],
    options: [
      since("7d"),
      { name: "html", value: "FILE", help: "Write a page of HTML instead; replaces the file" },
    ],
    needsRoot: true,
    load: () => import("../commands/report.ts"),
  },
  {
    name: "top",
    summary: "Show what the machines of jobs use now",
    description:
      "Prints CPU, memory, tasks and bytes written to disk of each machine, the busiest one first. On a terminal the table is renewed every two seconds until a key is pressed; the CPU is then that of these seconds, in percent of one processor, and otherwise the time since the start.",
    example: "nspawn-runner top",
    positionals: [],
    options: [{ name: "json", help: "Print JSON, once" }],
    needsRoot: true,
    load: () => import("../commands/top.ts"),
  },
  {
    name: "metrics",
    summary: "Print metrics for Prometheus",
    description:
      "Prints counters of all jobs that ended, and gauges of machines, pools of ids and networks, disk, caches, images, chroots and timers. The counters survive the removal of old records. With --output, replaces the file in one step, for the textfile collector of node_exporter.",
    example: "nspawn-runner metrics",
    positionals: [],
    options: [{ name: "output", value: "FILE", help: "Write to this file instead of stdout" }],
    needsRoot: true,
    load: () => import("../commands/metrics.ts"),
  },
  {
    name: "shell",
    summary: "Open a shell in the machine of a job",
    description:
      "While the job runs, opens the shell beside its script. After the job has failed, opens it on the files that the job wrote, if keep_failed in the configuration keeps them.",
    example: "nspawn-runner shell 42",
    positionals: [{
      name: "id",
      help: "The job's id, or the id that `list` shows; ID/ALIAS for a service of the job",
      required: true,
    }],
    options: [{
      name: "done",
      help: "Instead, remove the files that are kept of a failed job and its services",
    }],
    needsRoot: true,
    runsScript: true,
    load: () => import("../commands/shell.ts"),
  },
  {
    name: "gc",
    summary: "Remove leftovers of jobs and builds",
    description:
      "Ends machines whose runner has ended, whose deadline has passed, or which were started before the last boot. Removes what belongs to no machine or chroot any more, and caches above their limits. Prints a reason for each. Running jobs are never touched.",
    example: "nspawn-runner gc --dry-run",
    positionals: [],
    options: [{ name: "dry-run", help: "Only print what would be removed" }],
    needsRoot: true,
    load: () => import("../commands/gc.ts"),
  },
  {
    name: "doctor",
    summary: "Check this host",
    description:
      "Checks versions, limits, settings of the kernel, devices, swap, the store and its storage, chroots and their definitions, user namespaces, network, gitlab-runner and its config.toml, and timers. Each is ok, weak or broken, and the fixes are listed. With --machine, also starts a machine and tries from inside whether it keeps its promises. With --image, also asks the image's registry for it, with root's credentials. Exits with 1 if anything is broken.",
    example: "nspawn-runner doctor --machine bookworm",
    positionals: [],
    options: [
      { name: "machine", value: "IMAGE", help: "Also start and check a machine of this image" },
      { name: "image", value: "NAME", help: "Also ask the registry for this image" },
      { name: "json", help: "Print JSON" },
    ],
    needsRoot: true,
    load: () => import("../commands/doctor.ts"),
  },
  {
    name: "config",
    summary: "Print the configuration in force, or check a file",
    description:
      "Prints each setting with its value, and where that comes from: the file that sets it, or the default. The output is TOML. With --chroot, prints the settings of one chroot, which its definition and its playbook may change, and those of its build. " +
      "With --check, prints no settings, but whether the file can be used. It is checked as the configuration if it is named config.toml or has a key that no definition may have, and as the definition of a chroot otherwise.",
    example: "nspawn-runner config --check /etc/nspawn-runner/config.toml",
    positionals: [],
    options: [
      { name: "chroot", value: "NAME", help: "Print the settings of this chroot" },
      { name: "check", value: "FILE", help: "Only check this configuration or definition" },
      { name: "json", help: "Print JSON" },
    ],
    needsRoot: false,
    load: () => import("../commands/config.ts"),
  },
  {
    name: "register",
    summary: "Register a runner with GitLab Runner",
    description:
      "Calls the host's gitlab-runner register, which verifies the token with GitLab and adds the runner to its config.toml. The token is the one that GitLab shows when a runner is created, glrt-…; it is read from a file, since other users can see command lines. Environment variables that gitlab-runner register reads, such as HTTPS_PROXY and CI_SERVER_TLS_CA_FILE, have their effect.",
    example: "nspawn-runner register --url https://gitlab.example.com/ --token-file token",
    positionals: [],
    options: [GITLAB_URL, TOKEN_FILE, RUNNER_IMAGE],
    needsRoot: true,
    load: () => import("../commands/register.ts"),
  },
  {
    name: "toml",
    summary: "Print the section for GitLab Runner's config.toml",
    description:
      "Prints what register lets GitLab Runner write. Append it to /etc/gitlab-runner/config.toml, or copy its lines into the section of a runner that is already registered.",
    example: "nspawn-runner toml --url https://gitlab.example.com/ --token-file token",
    positionals: [],
    options: [GITLAB_URL, TOKEN_FILE, RUNNER_IMAGE],
    needsRoot: false,
    load: () => import("../commands/toml.ts"),
  },
  ...STAGE_COMMANDS,
];
