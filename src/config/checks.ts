/** Checks of settings: each takes a file's value and returns the checked value, or undefined if it is not allowed. */

import { globRegExp } from "../text/glob.ts";
import { parseSize } from "../text/size.ts";
import { CAPABILITIES } from "./capabilities.ts";
import { isImageReference, layoutPath } from "./image_reference.ts";

/** A string that matches a regular expression, or passes a test. */
export const text = (shape: RegExp | ((text: string) => boolean)) => (value: unknown) =>
  typeof value === "string" && (shape instanceof RegExp ? shape.test(value) : shape(value))
    ? value
    : undefined;

/** One of these strings. */
export const oneOf = <const Word extends string>(...words: readonly Word[]) => (value: unknown) =>
  words.find((word) => word === value);

/** True or false. */
export const flag = (value: unknown) => typeof value === "boolean" ? value : undefined;

/** A whole number within these bounds, which are allowed themselves. */
export const wholeNumber = (least: number, most: number) => (value: unknown) =>
  typeof value === "number" && Number.isInteger(value) && value >= least && value <= most
    ? value
    : undefined;

/** An absolute path without characters that are special to mount(8), systemd-nspawn or unit files. */
export const absolutePath = text((path) => PLAIN_PATH.test(path) || LETTERS_PATH.test(path));
const PLAIN_PATH = /^(\/(?!\.{1,2}(?:\/|$))[\w.@+=~-]+)+$/;
/** Also with letters and digits of other scripts; takes 0.3 ms to compile. */
const LETTERS_PATH = /^(\/(?!\.{1,2}(?:\/|$))[\p{L}\p{N}._@+=~-]+)+$/u;

/** A path with a folder: a playbook beside the definitions would itself belong to the chroot of its name. */
export const playbook = (value: unknown) => {
  if (typeof value !== "string" || !/^[^-].*\/.*\.ya?ml$/s.test(value)) return undefined;
  return absolutePath(value) ?? absolutePath(`/${value}`)?.slice(1);
};

/** Numbers are exact up to here, and no host has more memory. */
const MOST_MEMORY = 2 ** 53;

/** Returns a size in bytes, as a string and as a number, from a number or a string with an optional unit. */
export function bytesOf(value: unknown): { text: string; count: number } | undefined {
  const text = textOf(value);
  const count = wholeNumber(1, MOST_MEMORY)(parseSize(text));
  return count === undefined ? undefined : { text, count };
}

/** A size, a share of the host's memory, or no limit: MemoryMax= in systemd.resource-control(5). */
export const memory = (value: unknown) => bytesOf(value)?.text ?? share(value);

/** As {@linkcode memory}, or 0 for none: MemorySwapMax=. */
export const swap = (value: unknown) => textOf(value) === "0" ? "0" : memory(value);

/** A share of one CPU, above 100 % for several CPUs, or no limit. */
export const quota = text(/^(?:infinity|[1-9]\d{0,5}%)$/);

/** A size in bytes, or no limit. */
export const size = (value: unknown) => value === "infinity" ? Infinity : bytesOf(value)?.count;

/** A job cannot run on a smaller disk. */
export const LEAST_DISK = 16 * 2 ** 20;

/** A size that is large enough for a machine's writes. */
export const disk = (value: unknown) => {
  const { text, count = 0 } = bytesOf(value) ?? {};
  return count < LEAST_DISK ? undefined : text;
};

/** A size that is large enough for a machine's writes, or no limit. */
export const diskLimit = (value: unknown) => value === "infinity" ? value : disk(value);

/** The values of {@linkcode disk}, for messages. */
export const DISK = "at least 16M, in bytes with an optional K, M, G or T";

/** PID_MAX_LIMIT of 64-bit kernels. */
const MOST_TASKS = 4_194_304;

/** A number of processes, a share of the host's maximum, or no limit. */
export const tasks = (value: unknown) => {
  const [amount] = textOf(value).match(/^[1-9]\d{0,6}$/) ?? [];
  if (amount === undefined) return share(value);
  return wholeNumber(1, MOST_TASKS)(Number(amount)) === undefined ? undefined : amount;
};

const share = text(/^(?:infinity|[1-9]\d?%|100%)$/);

/** Returns a number or string of a file as a string, and an empty string for anything else. */
export function textOf(value: unknown): string {
  return typeof value === "number" || typeof value === "string" ? String(value) : "";
}

const DURATIONS: Readonly<Record<string, number>> = { s: 1, min: 60, h: 3600, d: 86_400 };

/** Seconds within these bounds, from a number or from text like `90s`, `2min`, `1h`, `30d`. */
export const seconds = (least: number, most: number) => (value: unknown) => {
  const [, amount, unit = "s"] = textOf(value).match(/^(\d{1,9})(s|min|h|d)?$/) ?? [];
  return wholeNumber(least, most)(Number(amount) * (DURATIONS[unit] ?? 1));
};

/** Ten years, in seconds. */
export const LONGEST = 3650 * 86_400;

/** The values of {@linkcode seconds}, for messages. */
export const DURATION = 'seconds, or text like "30min", "12h" or "7d"';

/** A list of strings that pass, with one at least. */
export const listOf = (passes: (text: string) => boolean) => (value: unknown) =>
  isListOf(value, passes) && value.length > 0 ? value : undefined;

/** Returns whether a value is a list of strings that pass; it may be empty. */
export function isListOf(
  value: unknown,
  passes: (text: string) => boolean,
): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string" && passes(one));
}

/** Files or folders of the host, each with its path in the machine and `ro` for read-only. */
export const binds = listOf((one) => {
  const [from, to, mode, ...more] = one.split(":");
  const isRight = absolutePath(from) !== undefined && absolutePath(to) !== undefined;
  return isRight && (mode === undefined || mode === "ro") && more.length === 0;
});

/** Addresses of IPv4 or IPv6, and networks of either, `ADDRESS/BITS`; the list may be empty. */
export const networks = (value: unknown) => isListOf(value, isNetwork) ? value : undefined;

/** Returns whether a text is an address of IPv4 or IPv6. */
export const isAddress = (text: string) => isIPv4(text) || isIPv6(text);

function isNetwork(text: string): boolean {
  const [address = "", bits = "0", ...more] = text.split("/");
  const most = isIPv4(address) ? 32 : isIPv6(address) ? 128 : -1;
  return more.length === 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= most;
}

function isIPv4(text: string): boolean {
  const parts = text.split(".");
  return parts.length === 4 &&
    parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256);
}

/** The parser of URLs decides. */
function isIPv6(text: string): boolean {
  return /^[0-9a-fA-F:.]+$/.test(text) && text.includes(":") && URL.canParse(`http://[${text}]/`);
}

/** A network of IPv4: /16 has addresses for 65533 machines, /28 for 13. */
export const range = (value: unknown) => {
  const text = textOf(value);
  const bits = Number(text.split("/")[1]);
  return isNetwork(text) && !text.includes(":") && bits >= 16 && bits <= 28 ? text : undefined;
};

/** Names of hosts(5), each with its address; the list may be empty. */
export const extraHosts = (value: unknown) =>
  isListOf(value, (one) => {
      const [, name = "", address = ""] = one.match(/^([^:]*):(.*)$/) ?? [];
      return /^[A-Za-z0-9][A-Za-z0-9.-]{0,252}$/.test(name) && isAddress(address);
    })
    ? value
    : undefined;

/** The seconds that GitLab Runner waits for services where 0 is written. */
export const SERVICE_WAIT = 30;

/** Seconds to wait for services; negative for not at all. Zero means the default, as with Docker's executor. */
export const serviceWait = (value: unknown) =>
  value === 0 ? SERVICE_WAIT : wholeNumber(-86_400, -1)(value) ?? seconds(1, 86_400)(value);

/** Names of capabilities(7), but not `all`. */
export const capabilities = listOf((name) => CAPABILITIES.includes(name));

/** Devices below /dev, each with `:r` for read-only, `:rw` or nothing. */
export const devices = listOf((one) => {
  const [path, mode, ...more] = one.split(":");
  const isRight = /^\/dev\/[A-Za-z0-9]/.test(path ?? "") && absolutePath(path) !== undefined;
  return isRight && /^[\w./+-]+$/.test(path!) && (mode === undefined || /^rw?$/.test(mode)) &&
    more.length === 0;
});

/** System calls, and groups of them as in systemd.exec(5); `~`, which would forbid them, is not allowed. */
export const syscalls = listOf((name) => /^@?[a-z][a-z0-9_-]*$/.test(name));

/** Patterns of chroot names, as in a shell. */
export const patterns = listOf((text) => globRegExp(text) !== undefined);

/** Patterns of image names, those that exclude images with `!` in front; the list may be empty. */
export const imagePatterns = (value: unknown) =>
  isListOf(value, (text) => IMAGE_PATTERN.test(text)) ? value : undefined;

/** What compiles a pattern is loaded where an image is to be pulled, and refuses only a range that runs backwards. */
const IMAGE_PATTERN = /^!?(?:\\.|\[[^\]/]+\]|\{[^{}]*\}|[\w.:@/*?-])+$/;

const policy = oneOf("always", "if-not-present", "never");

/** GitLab's pull policies: one or several. */
export const pullPolicies = (value: unknown) => {
  const words = Array.isArray(value) ? value : [value];
  const policies: readonly ReturnType<typeof policy>[] = words.map(policy);
  return policies.length > 0 && isComplete(policies) ? policies : undefined;
};

function isComplete<T>(list: readonly (T | undefined)[]): list is readonly T[] {
  return !list.includes(undefined);
}

/** The values of {@linkcode pullPolicies}, for messages. */
export const POLICIES = '"always", "if-not-present" or "never", or a list of these';

/** What a chroot is built from: a word for its kind, a colon, and a path or an image. */
export const source = (value: unknown) => {
  if (typeof value !== "string") return undefined;
  const [, kind = "", rest = ""] = value.match(/^([a-z]+):(.*)$/s) ?? [];
  const isPath = absolutePath(rest) !== undefined;
  const isImage = isImageReference(rest.replace(/^\/\//, ""));
  const isLayout = absolutePath(layoutPath(rest)) !== undefined;
  const isRight = kind === "tar" || kind === "dir"
    ? isPath
    : kind === "docker"
    ? isImage
    : kind === "oci" && (isImage || isLayout);
  return isRight ? value : undefined;
};

/** Files of the host, each with its path in the chroot. */
export const copies = (value: unknown) =>
  isTableOfPaths(value) && Object.keys(value).length > 0 &&
    !Object.values(value).some((to) => /^\/(?:tmp|run|dev|proc|sys)(?:\/|$)/.test(to)) // not kept there
    ? value
    : undefined;

function isTableOfPaths(value: unknown): value is Readonly<Record<string, string>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    Object.entries(value).every((pair) => pair.every(absolutePath));
}

/** The values of {@linkcode swap}, for messages. */
export const SWAP = '0, bytes with an optional K, M, G or T, a share like "80%", or "infinity"';

/** The values of {@linkcode memory}, for messages. */
export const MEMORY = 'bytes with an optional K, M, G or T, a share like "80%", or "infinity"';
