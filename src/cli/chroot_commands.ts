/** Commands for chroots and pulled images. */

import type { CommandSpec } from "../app/command.ts";
import { DEFAULT_IMAGE, IMAGE } from "./options.ts";

/** In the order in which help lists them. */
export const CHROOT_COMMANDS: readonly CommandSpec[] = [
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
      "Pushes the current generation as an image with one layer, by skopeo. A definition with this image as its source pulls it on any host. Credentials come from the file that skopeo login writes.",
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
];
