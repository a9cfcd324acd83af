/** What only a definition may contain: how its chroot is built. It may also hold the settings of machines. */

import { absolutePath, copies, flag, listOf, playbook, source, text } from "./checks.ts";
import { isChrootName } from "./chroot_name.ts";
import { FLAG, PATH, type Setting } from "./setting.ts";

/** In the order of the documentation. */
export const DEFINITION_SETTINGS = [
  {
    key: "suite",
    where: "definition",
    default: undefined,
    allowed: "the name of a suite",
    help: "Suite that the chroot is built from",
    check: text(/^[a-z0-9][a-z0-9.-]{0,63}$/),
  },
  {
    key: "source",
    where: "definition",
    default: undefined,
    allowed: '"tar:" or "dir:" and an absolute path, "docker:" and an image, or "oci:" and either',
    help: "Archive, folder or image that the chroot is built from, instead of a suite",
    check: source,
  },
  {
    key: "extends",
    where: "definition",
    default: undefined,
    allowed: "the name of a chroot",
    help: "Chroot whose current generation this one is built from, instead of a suite",
    check: text(isChrootName),
  },
  {
    key: "components",
    where: "definition",
    default: undefined,
    allowed: 'a list like ["main", "contrib"]',
    help: "Components of the package archive; without it, the choice of `tool`",
    check: listOf((text) => /^[a-z0-9][a-z0-9.\/-]*$/.test(text)),
  },
  {
    key: "packages",
    where: "definition",
    default: undefined,
    allowed: "a list of package names",
    help: "Packages to install in addition to the default ones",
    check: listOf((text) => /^[a-z0-9][a-z0-9+.-]+(?::[a-z0-9]+)?$/.test(text)),
  },
  {
    key: "keyring",
    where: "definition",
    default: undefined,
    allowed: PATH,
    help: "Keys that sign the package archive; without it, those of Debian and Ubuntu",
    check: absolutePath,
  },
  {
    key: "copy",
    where: "definition",
    default: undefined,
    allowed:
      'a table of absolute paths, "host" = "chroot", not below /tmp, /run, /dev, /proc or /sys',
    help: "Files and folders of the host that are copied into the chroot, before `setup`",
    check: copies,
  },
  {
    key: "setup",
    where: "definition",
    default: undefined,
    allowed: "a list of commands of sh",
    help:
      "Commands that run in the chroot when it is built and in maintenance, before the playbook",
    check: listOf((text) => text.trim() !== "" && !text.includes("\0")),
  },
  {
    key: "playbook",
    where: "definition",
    default: undefined,
    allowed: 'a path like "plays/base.yaml", with a folder',
    help: "Ansible playbook of another name; a relative path starts at the definition's folder",
    check: playbook,
  },
  {
    key: "recreate",
    where: "definition",
    default: undefined,
    allowed: FLAG,
    help: "Whether maintenance builds the chroot anew instead of updating a copy of it",
    check: flag,
  },
  {
    key: "aliases",
    where: "definition",
    default: undefined,
    allowed: "a list of names that chroots may have",
    help: "Other names by which jobs may use the chroot",
    check: listOf(isChrootName),
  },
] as const satisfies readonly Setting[];
