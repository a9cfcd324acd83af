/** The last output of a service, which its machine keeps in two files of limited size. */

import { join } from "@std/path/posix";
import type { Host } from "../../host/host.ts";
import { printable } from "../../text/printable.ts";
import { CHANNEL, MAX_LOG_BYTES } from "../record/channel.ts";
import type { MachinePaths } from "../record/paths.ts";

/** The content of one of the files. */
interface Part {
  /** Bytes of output that came before it. */
  readonly start: number;
  readonly bytes: Uint8Array;
}

/** Output of a service that its reader has not seen. */
export interface NewOutput {
  readonly lines: readonly string[];
  /** Whether older output that the reader has not seen either is gone. */
  readonly isDropped: boolean;
  /** Bytes of output up to which the reader has seen it. */
  readonly position: number;
}

/** Bytes of a line that is shown before it ends. */
const MAX_LINE = 16_384;

/**
 * Returns the lines of a service's output from a position on, without control characters.
 *
 * @param isOver Whether the last line counts also where it has no end.
 */
export async function outputSince(
  host: Host,
  paths: Pick<MachinePaths, "own">,
  position: number,
  isOver: boolean,
): Promise<NewOutput> {
  let chunks: Uint8Array[] = [];
  let end = position;
  let isDropped = false;
  for (const { start, bytes } of await readParts(host, paths)) {
    if (start + bytes.length <= end) continue;
    if (start > end) [chunks, end, isDropped] = [[], start, true];
    chunks.push(bytes.subarray(end - start));
    end = start + bytes.length;
  }
  const bytes = concat(chunks);
  const length = isOver ? bytes.length : lengthOfLines(bytes);
  return {
    lines: linesOf(bytes.subarray(0, length)),
    isDropped,
    position: end - bytes.length + length,
  };
}

function lengthOfLines(bytes: Uint8Array): number {
  const length = bytes.lastIndexOf(LINE_END) + 1;
  return length === 0 && bytes.length > MAX_LINE ? bytes.length : length;
}

/** What a line has that says why a program ends: servers often write more lines after it. */
const REASON =
  /\b(?:error|fatal|panic|exception|failed|denied|refused|cannot|could not|not found)\b/i;

/** Lines among which a reason is looked for, and characters of it that are shown. */
const REASON_LINES = 20;
const MAX_WORDS = 300;

/** Returns the last line of the output of a service that tells a reason, else its last line; null for no output. */
export async function lastWords(
  host: Host,
  paths: Pick<MachinePaths, "own">,
): Promise<string | null> {
  const lines = await lastOutput(host, paths, REASON_LINES);
  const line = lines.findLast((line) => REASON.test(line)) ?? lines.at(-1);
  return line?.trim().slice(0, MAX_WORDS) ?? null;
}

/** Returns the last lines of the output of a service, without control characters. */
export async function lastOutput(
  host: Host,
  paths: Pick<MachinePaths, "own">,
  count: number,
): Promise<string[]> {
  const parts = await readParts(host, paths);
  return linesOf(concat(parts.map(({ bytes }) => bytes))).slice(-count);
}

/** Returns what the files hold, the older part first. A service can write anything to them. */
async function readParts(host: Host, { own }: Pick<MachinePaths, "own">): Promise<Part[]> {
  const files = await Promise.all(
    CHANNEL.logs.map((name) => host.files.readStart(join(own, name), MAX_FILE)),
  );
  return files.flatMap(partOf).sort((one, other) => one.start - other.start);
}

/** Digits of the number in the first line of a file. */
const MAX_DIGITS = 15;
const MAX_FILE = MAX_DIGITS + 1 + MAX_LOG_BYTES;
const LINE_END = "\n".charCodeAt(0);

function partOf(content: Uint8Array | null): Part[] {
  const length = content?.indexOf(LINE_END) ?? -1;
  if (content === null || length === -1 || length > MAX_DIGITS) return [];
  const start = new TextDecoder().decode(content.subarray(0, length));
  return /^\d+$/.test(start) ? [{ start: Number(start), bytes: content.subarray(length + 1) }] : [];
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let length = 0;
  for (const part of parts) {
    all.set(part, length);
    length += part.length;
  }
  return all;
}

/** Returns lines that can be shown: without colours, and with nothing that controls a terminal; no empty ones. */
function linesOf(bytes: Uint8Array): string[] {
  const text = new TextDecoder().decode(bytes);
  // deno-lint-ignore no-control-regex
  const lines = text.replaceAll(/\x1b\[[\d;]*m/g, "").split(/\r?\n/);
  return lines.map((line) => printable(line).trimEnd()).filter((line) => line !== "");
}
