/** The one table of settings: what each key may hold, where it may stand, and what it means. */

/** One key. */
export interface Field {
  /** Its dotted path. */
  readonly key: string;
  /** Whether a definition may hold it as well, or it alone. */
  readonly where: "both" | "config" | "definition";
  /** As the documentation shows it; undefined where there is none. */
  readonly standard: string | number | boolean | undefined;
  /** What it may hold, in words. */
  readonly allowed: string;
  readonly help: string;
  /** The checked value, or undefined where it is none. */
  readonly check: (value: unknown) => string | number | boolean | undefined;
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

const UNITS: Readonly<Record<string, number>> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** No host has more, and systemd counts in 64 bits. */
const MOST_MEMORY = 2 ** 53;

/** Bytes with a unit, a share of what the host has, or no limit: systemd.resource-control(5). */
const memory = (value: unknown) => {
  const [bytes, amount, unit = ""] = written(value).match(/^([1-9]\d{0,15})([KMGT]?)$/) ?? [];
  if (bytes === undefined) return share(value);
  return wholeNumber(1, MOST_MEMORY)(Number(amount) * (UNITS[unit] ?? 1)) && bytes;
};

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

const DURATIONS: Readonly<Record<string, number>> = { s: 1, min: 60, h: 3600 };

/** Seconds, as a number or like `90s`, `2min`, `1h`. */
const seconds = (value: unknown) => {
  const [, amount, unit = "s"] = written(value).match(/^(\d{1,6})(s|min|h)?$/) ?? [];
  return wholeNumber(1, 86_400)(Number(amount) * (DURATIONS[unit] ?? 1));
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
    key: "suite",
    where: "definition",
    standard: undefined,
    allowed: "the name of a suite",
    help: "The suite that the chroot is made from",
    check: text(/^[a-z0-9][a-z0-9.-]{0,63}$/),
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
    check: seconds,
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
    key: "limits.tasks_max",
    where: "both",
    standard: "16384",
    allowed: 'a whole number, a share like "10%", or "infinity"',
    help: "Processes and threads of the machine",
    check: tasks,
  },
];
