/**
 * What keys may hold: each check takes what stands in a file, and gives the value, or undefined where it is
 * none.
 */

import { globRegExp } from "../text/glob.ts";
import { CAPABILITIES } from "./capabilities.ts";
import { bytesIn } from "../text/size.ts";

/** A text of that shape. */
export const text = (shape: RegExp) => (value: unknown) =>
  typeof value === "string" && shape.test(value) ? value : undefined;

/** One of some words. */
export const oneOf = (...words: string[]) => (value: unknown) =>
  typeof value === "string" && words.includes(value) ? value : undefined;

/** True or false. */
export const flag = (value: unknown) => typeof value === "boolean" ? value : undefined;

/** A whole number from one to another. */
export const wholeNumber = (least: number, most: number) => (value: unknown) =>
  typeof value === "number" && Number.isInteger(value) && value >= least && value <= most
    ? value
    : undefined;

/** An absolute path that neither mount(8), nspawn nor a unit reads as anything else. */
export const absolutePath = text(/^(\/(?!\.{1,2}(?:\/|$))[\p{L}\p{N}._@+=~-]+)+$/u);

/** A file beside chroots' own playbooks would be one of them: a folder of its own, or a path from the root. */
export const playbook = (value: unknown) => {
  if (typeof value !== "string" || !/^[^-].*\/.*\.ya?ml$/s.test(value)) return undefined;
  return absolutePath(value) ?? absolutePath(`/${value}`)?.slice(1);
};

/** No host has more, and systemd counts in 64 bits. */
const MOST_MEMORY = 2 ** 53;

/**
 * Bytes with a unit.
 *
 * @param value As it is written.
 * @returns The text, and how many they are; undefined where it is none.
 */
export function bytesOf(value: unknown): { text: string; count: number } | undefined {
  const text = written(value);
  const count = wholeNumber(1, MOST_MEMORY)(bytesIn(text));
  return count === undefined ? undefined : { text, count };
}

/** Bytes with a unit, a share of what the host has, or no limit: systemd.resource-control(5). */
export const memory = (value: unknown) => bytesOf(value)?.text ?? share(value);

/** A share of one CPU, which may be several, or no limit. */
export const quota = text(/^(?:infinity|[1-9]\d{0,5}%)$/);

/** Bytes with a unit, or no limit. */
export const size = (value: unknown) => value === "infinity" ? Infinity : bytesOf(value)?.count;

/** A smaller disk holds no job. */
const LEAST_DISK = 16 * 2 ** 20;

/** Bytes with a unit, enough for a machine's writes. */
export const disk = (value: unknown) => {
  const { text, count = 0 } = bytesOf(value) ?? {};
  return count < LEAST_DISK ? undefined : text;
};

/** What {@linkcode disk} takes, in words. */
export const DISK = "at least 16M, in bytes with an optional K, M, G or T";

/** PID_MAX_LIMIT of 64-bit kernels. */
const MOST_TASKS = 4_194_304;

/** A number of processes, a share of what the host may have, or no limit. */
export const tasks = (value: unknown) => {
  const [amount] = written(value).match(/^[1-9]\d{0,6}$/) ?? [];
  if (amount === undefined) return share(value);
  return wholeNumber(1, MOST_TASKS)(Number(amount)) && amount;
};

const share = text(/^(?:infinity|[1-9]\d?%|100%)$/);

/**
 * A number or a text, as it is written.
 *
 * @param value What stands in a file.
 * @returns Its text; empty for anything else.
 */
export function written(value: unknown): string {
  return typeof value === "number" || typeof value === "string" ? String(value) : "";
}

const DURATIONS: Readonly<Record<string, number>> = { s: 1, min: 60, h: 3600, d: 86_400 };

/** Seconds, as a number or like `90s`, `2min`, `1h`, `30d`. */
export const seconds = (least: number, most: number) => (value: unknown) => {
  const [, amount, unit = "s"] = written(value).match(/^(\d{1,9})(s|min|h|d)?$/) ?? [];
  return wholeNumber(least, most)(Number(amount) * (DURATIONS[unit] ?? 1));
};

/** Ten years. */
export const LONG = 3650 * 86_400;

/** What {@linkcode seconds} takes, in words. */
export const DURATION = 'seconds, or text like "30min", "12h" or "7d"';

/** A list that is not empty, of texts that pass. */
export const listOf = (passes: (text: string) => boolean) => (value: unknown) =>
  Array.isArray(value) && value.length > 0 &&
    value.every((one) => typeof one === "string" && passes(one))
    ? value as string[]
    : undefined;

/** A folder or file of the host, its place in the machine, and whether it is read-only there. */
export const binds = listOf((one) => {
  const [from, to, mode, ...more] = one.split(":");
  const isRight = absolutePath(from) !== undefined && absolutePath(to) !== undefined;
  return isRight && (mode === undefined || mode === "ro") && more.length === 0;
});

/** An address of IPv4 or IPv6, or a network of either, `ADDRESS/BITS`. */
export const networks = (value: unknown) =>
  Array.isArray(value) && value.length === 0 ? [] : listOf(isNetwork)(value);

/** An address of IPv4 or IPv6. */
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

/** What a URL may have for a host is parsed by a library. */
function isIPv6(text: string): boolean {
  return /^[0-9a-fA-F:.]+$/.test(text) && text.includes(":") && URL.canParse(`http://[${text}]/`);
}

/** A network of IPv4 with room for some thousand machines, or a few. */
export const range = (value: unknown) => {
  const text = written(value);
  const bits = Number(text.split("/")[1]);
  return isNetwork(text) && !text.includes(":") && bits >= 16 && bits <= 28 ? text : undefined;
};

/** Names of capabilities(7); never all at once. */
export const capabilities = listOf((name) => CAPABILITIES.includes(name));

/** A device of the host below /dev, and whether it may be read alone. */
export const devices = listOf((one) => {
  const [path, mode, ...more] = one.split(":");
  const isRight = /^\/dev\/[A-Za-z0-9]/.test(path ?? "") && absolutePath(path) !== undefined;
  return isRight && /^[\w./+-]+$/.test(path!) && (mode === undefined || /^rw?$/.test(mode)) &&
    more.length === 0;
});

/** System calls, and groups of them as systemd.exec(5) has them; to allow, never to forbid. */
export const syscalls = listOf((name) => /^@?[a-z][a-z0-9_-]*$/.test(name));

/** Patterns of chroot names, in the words of a shell. */
export const patterns = listOf((text) => globRegExp(text) !== undefined);

/** A chroot's name. */
export const CHROOT = /^(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** An image as registries know it: REGISTRY/REPOSITORY, then a tag, a digest or both. */
const REFERENCE =
  /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*(?::\w[\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$/;

/** What a chroot is made from, with a word that says what follows. */
export const source = (value: unknown) => {
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
export const copies = (value: unknown) => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const entries = Object.entries(value);
  const isRight = entries.length > 0 && entries.every((pair) => pair.every(absolutePath)) &&
    !Object.values(value).some((to) => /^\/(?:tmp|run|dev|proc|sys)(?:\/|$)/.test(to)); // not kept there
  return isRight ? value as Record<string, string> : undefined;
};

/** What {@linkcode memory} takes, in words. */
export const MEMORY = 'bytes with an optional K, M, G or T, a share like "80%", or "infinity"';
