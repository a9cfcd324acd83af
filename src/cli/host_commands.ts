/** Commands for the host, and for GitLab Runner on it. */

import type { CommandSpec, OptionSpec } from "../app/command.ts";

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

/** In the order in which help lists them. */
export const HOST_COMMANDS: readonly CommandSpec[] = [
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
];
