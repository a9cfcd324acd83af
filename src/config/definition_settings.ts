/** What only a definition may contain: how its chroot is built. It may also hold the settings of machines. */

import { absolutePath, copies, flag, listOf, playbook, source, text } from "./checks.ts";
import { command } from "./configured_service.ts";
import { isChrootName } from "./chroot_name.ts";
import { FLAG, PATH, type Setting } from "./setting.ts";

/** In the order of the documentation. */
export const DEFINITION_SETTINGS = [
  {
    key: "suite",
    where: "definition",
    default: undefined,
    allowed: "the name of a suite",
    check: text(/^[a-z0-9][a-z0-9.-]{0,63}$/),
  },
  {
    key: "source",
    where: "definition",
    default: undefined,
    allowed: '"tar:" or "dir:" and an absolute path, "docker:" and an image, or "oci:" and either',
    check: source,
  },
  {
    key: "extends",
    where: "definition",
    default: undefined,
    allowed: "the name of a chroot",
    check: text(isChrootName),
  },
  {
    key: "components",
    where: "definition",
    default: undefined,
    allowed: 'a list like ["main", "contrib"]',
    check: listOf((text) => /^[a-z0-9][a-z0-9.\/-]*$/.test(text)),
  },
  {
    key: "packages",
    where: "definition",
    default: undefined,
    allowed: "a list of package names",
    check: listOf((text) => /^[a-z0-9][a-z0-9+.-]+(?::[a-z0-9]+)?$/.test(text)),
  },
  {
    key: "keyring",
    where: "definition",
    default: undefined,
    allowed: PATH,
    check: absolutePath,
  },
  {
    key: "copy",
    where: "definition",
    default: undefined,
    allowed: 'a table "/host" = "/chroot", the latter not below /tmp, /run, /dev, /proc or /sys',
    check: copies,
  },
  {
    key: "setup",
    where: "definition",
    default: undefined,
    allowed: "a list of commands of sh",
    check: listOf((text) => text.trim() !== "" && !text.includes("\0")),
  },
  {
    key: "playbook",
    where: "definition",
    default: undefined,
    allowed: 'a path like "plays/base.yaml", with a folder',
    check: playbook,
  },
  {
    key: "recreate",
    where: "definition",
    default: undefined,
    allowed: FLAG,
    check: flag,
  },
  {
    key: "aliases",
    where: "definition",
    default: undefined,
    allowed: "a list of names that chroots may have",
    check: listOf(isChrootName),
  },
  {
    key: "service",
    where: "definition",
    default: undefined,
    allowed: 'a program and its arguments, like ["redis-server", "--port", "6379"]',
    check: command,
  },
] as const satisfies readonly Setting[];
