/** The one table of settings: what each key may hold, where it may stand, and what it means. */

import { globRegExp } from "../glob.ts";

/** What a key may hold, once it is checked. */
export type Value =
  | string
  | number
  | boolean
  | readonly string[]
  | Readonly<Record<string, string>>;

/** One key. */
export interface Field {
  /** Its dotted path. */
  readonly key: string;
  /** Whether a definition may hold it as well, or it alone. */
  readonly where: "both" | "config" | "definition";
  /** As one would write it; undefined where there is none. */
  readonly standard: Value | undefined;
  /** What it may hold, in words. */
  readonly allowed: string;
  readonly help: string;
  /** The checked value, or undefined where it is none. */
  readonly check: (value: unknown) => Value | undefined;
}

const text = (shape: RegExp) => (value: unknown) =>
  typeof value === "string" && shape.test(value) ? value : undefined;

const oneOf = (...words: string[]) => (value: unknown) =>
  typeof value === "string" && words.includes(value) ? value : undefined;

const flag = (value: unknown) => typeof value === "boolean" ? value : undefined;

const wholeNumber = (least: number, most: number) => (value: unknown) =>
  typeof value === "number" && Number.isInteger(value) && value >= least && value <= most
    ? value
    : undefined;

/** An absolute path that neither mount(8), nspawn nor a unit reads as anything else. */
const absolutePath = text(/^(\/(?!\.{1,2}(?:\/|$))[\p{L}\p{N}._@+=~-]+)+$/u);

/** A file beside chroots' own playbooks would be one of them: a folder of its own, or a path from the root. */
const playbook = (value: unknown) => {
  if (typeof value !== "string" || !/^[^-].*\/.*\.ya?ml$/s.test(value)) return undefined;
  return absolutePath(value) ?? absolutePath(`/${value}`)?.slice(1);
};

const UNITS: Readonly<Record<string, number>> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** No host has more, and systemd counts in 64 bits. */
const MOST_MEMORY = 2 ** 53;

/**
 * Bytes with a unit.
 *
 * @param value As it is written.
 * @returns The text, and how many they are; undefined where it is none.
 */
export function bytesOf(value: unknown): { text: string; count: number } | undefined {
  const [text, amount, unit = ""] = written(value).match(/^([1-9]\d{0,15})([KMGT]?)$/) ?? [];
  if (text === undefined) return undefined;
  const count = wholeNumber(1, MOST_MEMORY)(Number(amount) * (UNITS[unit] ?? 1));
  return count === undefined ? undefined : { text, count };
}

/** Bytes with a unit, a share of what the host has, or no limit: systemd.resource-control(5). */
const memory = (value: unknown) => bytesOf(value)?.text ?? share(value);

/** A share of one CPU, which may be several, or no limit. */
const quota = text(/^(?:infinity|[1-9]\d{0,5}%)$/);

/** Bytes with a unit, or no limit. */
const size = (value: unknown) => value === "infinity" ? Infinity : bytesOf(value)?.count;

/** PID_MAX_LIMIT of 64-bit kernels. */
const MOST_TASKS = 4_194_304;

const tasks = (value: unknown) => {
  const [amount] = written(value).match(/^[1-9]\d{0,6}$/) ?? [];
  if (amount === undefined) return share(value);
  return wholeNumber(1, MOST_TASKS)(Number(amount)) && amount;
};

const share = text(/^(?:infinity|[1-9]\d?%|100%)$/);

function written(value: unknown): string {
  return typeof value === "number" || typeof value === "string" ? String(value) : "";
}

const DURATIONS: Readonly<Record<string, number>> = { s: 1, min: 60, h: 3600, d: 86_400 };

/** Seconds, as a number or like `90s`, `2min`, `1h`, `30d`. */
const seconds = (least: number, most: number) => (value: unknown) => {
  const [, amount, unit = "s"] = written(value).match(/^(\d{1,9})(s|min|h|d)?$/) ?? [];
  return wholeNumber(least, most)(Number(amount) * (DURATIONS[unit] ?? 1));
};

/** Ten years. */
const LONG = 3650 * 86_400;
const DURATION = 'seconds, or text like "30min", "12h" or "7d"';

/** A list that is not empty, of texts that pass. */
const listOf = (passes: (text: string) => boolean) => (value: unknown) =>
  Array.isArray(value) && value.length > 0 &&
    value.every((one) => typeof one === "string" && passes(one))
    ? value as string[]
    : undefined;

/** A folder or file of the host, its place in the machine, and whether it is read-only there. */
const binds = listOf((one) => {
  const [from, to, mode, ...more] = one.split(":");
  const isRight = absolutePath(from) !== undefined && absolutePath(to) !== undefined;
  return isRight && (mode === undefined || mode === "ro") && more.length === 0;
});

/** Patterns of chroot names, in the words of a shell. */
const patterns = listOf((text) => globRegExp(text) !== undefined);

/** A chroot's name. */
const CHROOT = /^(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** An image as registries know it: REGISTRY/REPOSITORY, then a tag, a digest or both. */
const REFERENCE =
  /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*(?::\w[\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$/;

/** What a chroot is made from, with a word that says what follows. */
const source = (value: unknown) => {
  const [, kind = "", rest = ""] = written(value).match(/^([a-z]+):(.*)$/s) ?? [];
  const isPath = absolutePath(rest) !== undefined;
  const isImage = REFERENCE.test(rest.replace(/^\/\//, ""));
  const isLayout = absolutePath(rest.replace(/:\w[\w.-]{0,127}$/, "")) !== undefined;
  const isRight = kind === "tar" || kind === "dir"
    ? isPath
    : kind === "docker"
    ? isImage
    : kind === "oci" && (isImage || isLayout);
  return isRight ? value as string : undefined;
};

/** Files of the host, each with its place in the chroot. */
const copies = (value: unknown) => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const entries = Object.entries(value);
  const isRight = entries.length > 0 && entries.every((pair) => pair.every(absolutePath)) &&
    !Object.values(value).some((to) => /^\/(?:tmp|run|dev|proc|sys)(?:\/|$)/.test(to)); // not kept there
  return isRight ? value as Record<string, string> : undefined;
};
const MEMORY = 'bytes with an optional K, M, G or T, a share like "80%", or "infinity"';

/** All keys, in the order in which the documentation lists them. */
export const FIELDS: readonly Field[] = [
  {
    key: "store",
    where: "config",
    standard: "/var/lib/nspawn-runner",
    allowed: "an absolute path of letters, digits and . _ @ + = ~ -",
    help: "Where chroots and machines live",
    check: absolutePath,
  },
  {
    key: "definitions",
    where: "config",
    standard: "/etc/nspawn-runner",
    allowed: "an absolute path of letters, digits and . _ @ + = ~ -",
    help: "Where definitions and playbooks live, before the store",
    check: absolutePath,
  },
  {
    key: "default_image",
    where: "config",
    standard: undefined,
    allowed: "an image as a job names it",
    help: "The image of a job that names none",
    check: text(/^[A-Za-z0-9][A-Za-z0-9._:/-]*$/),
  },
  {
    key: "allowed_images",
    where: "config",
    standard: ["*"],
    allowed: "a list of chroot names, in which * ? and [...] match as in a shell",
    help: "The chroots that jobs may use",
    check: patterns,
  },
  {
    key: "suite",
    where: "definition",
    standard: undefined,
    allowed: "the name of a suite",
    help: "The suite that the chroot is made from",
    check: text(/^[a-z0-9][a-z0-9.-]{0,63}$/),
  },
  {
    key: "source",
    where: "definition",
    standard: undefined,
    allowed: '"tar:" or "dir:" and an absolute path, "docker:" and an image, or "oci:" and either',
    help: "What the chroot is made from, instead of a suite",
    check: source,
  },
  {
    key: "extends",
    where: "definition",
    standard: undefined,
    allowed: "the name of a chroot",
    help: "Another chroot, whose current generation this one starts from, instead of a suite",
    check: text(CHROOT),
  },
  {
    key: "components",
    where: "definition",
    standard: undefined,
    allowed: 'a list like ["main", "contrib"]',
    help: "Parts of the archive that packages come from; the tool's own choice without it",
    check: listOf((text) => /^[a-z0-9][a-z0-9.\/-]*$/.test(text)),
  },
  {
    key: "packages",
    where: "definition",
    standard: undefined,
    allowed: "a list of package names",
    help: "Packages besides the usual ones",
    check: listOf((text) => /^[a-z0-9][a-z0-9+.-]+(?::[a-z0-9]+)?$/.test(text)),
  },
  {
    key: "keyring",
    where: "definition",
    standard: undefined,
    allowed: "an absolute path of letters, digits and . _ @ + = ~ -",
    help: "Keys that prove the archive; those of Debian and Ubuntu without it",
    check: absolutePath,
  },
  {
    key: "copy",
    where: "definition",
    standard: undefined,
    allowed:
      'a table of absolute paths, "of the host" = "in the chroot", not below /tmp, /run, /dev, /proc or /sys',
    help: "Files and folders that are copied in, before `setup`",
    check: copies,
  },
  {
    key: "setup",
    where: "definition",
    standard: undefined,
    allowed: "a list of commands of sh",
    help: "Commands that run in the chroot when it is made and in maintenance, before its playbook",
    check: listOf((text) => text.trim() !== "" && !text.includes("\0")),
  },
  {
    key: "playbook",
    where: "definition",
    standard: undefined,
    allowed: 'a path like "plays/base.yaml", with a folder',
    help:
      "An Ansible playbook that is not called like the chroot; a relative path is from the definition's folder",
    check: playbook,
  },
  {
    key: "recreate",
    where: "definition",
    standard: undefined,
    allowed: "true or false",
    help: "Whether maintenance makes the chroot anew instead of bringing a copy up to date",
    check: flag,
  },
  {
    key: "aliases",
    where: "definition",
    standard: undefined,
    allowed: "a list of names, as chroots have them",
    help: "Other names by which jobs may call the chroot",
    check: listOf((name) => CHROOT.test(name)),
  },
  {
    key: "storage",
    where: "both",
    standard: "auto",
    allowed: '"auto", "overlay", "btrfs" or "tmpfs"',
    help: "How a machine's writes are kept off its chroot",
    check: oneOf("auto", "overlay", "btrfs", "tmpfs"),
  },
  {
    key: "boot",
    where: "both",
    standard: true,
    allowed: "true or false",
    help: "Whether systemd runs as PID 1 in the machine; a chroot without systemd never boots",
    check: flag,
  },
  {
    key: "user",
    where: "both",
    standard: undefined,
    allowed: "the name or number of a user in the chroot",
    help:
      "Who runs scripts, and owns builds and cache; root without it, or whom the chroot's image names",
    check: (value) => text(/^(?:[a-z_][a-z0-9_.-]{0,31}|[1-9]\d{0,8})$/)(written(value)),
  },
  {
    key: "private_users",
    where: "both",
    standard: "auto",
    allowed: '"auto" or "off"',
    help:
      "Whether a machine has user ids of its own, so that its root is nobody on the host; auto where the host can",
    check: oneOf("auto", "off"),
  },
  {
    key: "binds",
    where: "both",
    standard: undefined,
    allowed: 'a list of "HOST:MACHINE" or "HOST:MACHINE:ro", both absolute paths',
    help: "What else of the host machines see; never the store or the whole host",
    check: binds,
  },
  {
    key: "shell",
    where: "both",
    standard: "bash",
    allowed: "the name or absolute path of a program in the chroot",
    help: "The shell of scripts whose first line names none",
    check: text(/^(?:[A-Za-z0-9_+][\w.+-]*|(?:\/[A-Za-z0-9_+][\w.+-]*)+)$/),
  },
  {
    key: "seccomp",
    where: "both",
    standard: true,
    allowed: "true or false",
    help: "nspawn's filter of system calls",
    check: flag,
  },
  {
    key: "prepare_timeout",
    where: "both",
    standard: 120,
    allowed: 'seconds from 1 to 86400, or text like "90s" or "2min"',
    help: "Longest wait until a machine is ready",
    check: seconds(1, 86_400),
  },
  {
    key: "keep_generations",
    where: "config",
    standard: 2,
    allowed: "a whole number from 1 to 100",
    help: "How many generations of a chroot stay, the current one among them",
    check: wholeNumber(1, 100),
  },
  {
    key: "deadline",
    where: "config",
    standard: "24h",
    allowed: DURATION,
    help: "Longest life of a machine that no GitLab Runner watches over",
    check: seconds(60, LONG),
  },
  {
    key: "keep_failed",
    where: "config",
    standard: undefined,
    allowed: DURATION,
    help: "How long what a failed job wrote is kept for a look with `shell`; not at all without it",
    check: seconds(1, LONG),
  },
  {
    key: "gitlab_runner",
    where: "config",
    standard: undefined,
    allowed: "an absolute path of letters, digits and . _ @ + = ~ -",
    help: "The gitlab-runner that machines get for artifacts and caches; found on PATH without it",
    check: absolutePath,
  },
  {
    key: "persistent_builds",
    where: "config",
    standard: false,
    allowed: "true or false",
    help: "Whether the builds folder of a project outlives its jobs",
    check: flag,
  },
  {
    key: "disk_reserve",
    where: "config",
    standard: "256M",
    allowed: "bytes with an optional K, M, G or T",
    help:
      "Free disk that is left for the host: below it no machine starts, and its job is tried again",
    check: (value) => bytesOf(value)?.count,
  },
  {
    key: "cache_max_size",
    where: "config",
    standard: "infinity",
    allowed: 'bytes with an optional K, M, G or T, or "infinity"',
    help: "How much all caches and builds folders may hold together",
    check: size,
  },
  {
    key: "cache_max_age",
    where: "config",
    standard: "30d",
    allowed: DURATION,
    help: "How long a cache or builds folder lives that no job uses",
    check: seconds(60, LONG),
  },
  {
    key: "mirror",
    where: "both",
    standard: undefined,
    allowed: "a URL of http, https, file or copy",
    help: "Where packages come from; the tool's own choice without it",
    check: text(/^(?:https?:\/\/|(?:file|copy):\/)[\w.~:/@%+-]+$/),
  },
  {
    key: "tool",
    where: "both",
    standard: "auto",
    allowed: '"auto", "mmdebstrap" or "debootstrap"',
    help: "What makes chroots; auto prefers mmdebstrap",
    check: oneOf("auto", "mmdebstrap", "debootstrap"),
  },
  {
    key: "limits.cpu_weight",
    where: "both",
    standard: 50,
    allowed: "a whole number from 1 to 10000",
    help: "The machine's share of the CPU when it is short; 100 is an ordinary service's",
    check: wholeNumber(1, 10_000),
  },
  {
    key: "limits.memory_high",
    where: "both",
    standard: "80%",
    allowed: MEMORY,
    help: "Memory above which the machine is slowed down",
    check: memory,
  },
  {
    key: "limits.memory_max",
    where: "both",
    standard: "infinity",
    allowed: MEMORY,
    help: "Memory above which processes of the machine are killed",
    check: memory,
  },
  {
    key: "limits.swap_max",
    where: "both",
    standard: "infinity",
    allowed: MEMORY,
    help: "Swap that the machine may use besides",
    check: memory,
  },
  {
    key: "limits.cpu_quota",
    where: "both",
    standard: "infinity",
    allowed: 'a share of one CPU like "150%", or "infinity"',
    help: "CPU time that the machine may use, however idle the host is",
    check: quota,
  },
  {
    key: "limits.io_weight",
    where: "both",
    standard: 50,
    allowed: "a whole number from 1 to 10000",
    help: "The machine's share of the disks when they are busy; 100 is an ordinary service's",
    check: wholeNumber(1, 10_000),
  },
  {
    key: "limits.tasks_max",
    where: "both",
    standard: "16384",
    allowed: 'a whole number, a share like "10%", or "infinity"',
    help: "Processes and threads of the machine",
    check: tasks,
  },
  {
    key: "overrides.memory_max",
    where: "config",
    standard: undefined,
    allowed: "bytes with an optional K, M, G or T",
    help: "How far jobs may set limits.memory_max, by NSPAWN_MEMORY_MAX; not at all without it",
    check: (value) => bytesOf(value)?.text,
  },
  {
    key: "overrides.cpu_quota",
    where: "config",
    standard: undefined,
    allowed: 'a share of one CPU like "150%"',
    help: "How far jobs may set limits.cpu_quota, by NSPAWN_CPU_QUOTA; not at all without it",
    check: text(/^[1-9]\d{0,5}%$/),
  },
  {
    key: "overrides.tasks_max",
    where: "config",
    standard: undefined,
    allowed: "a whole number",
    help: "How far jobs may set limits.tasks_max, by NSPAWN_TASKS_MAX; not at all without it",
    check: (value) => tasks(value) && text(/^\d+$/)(written(value)),
  },
  {
    key: "overrides.boot",
    where: "config",
    standard: undefined,
    allowed: "true or false",
    help: "Whether jobs may set boot, by NSPAWN_BOOT",
    check: flag,
  },
];
