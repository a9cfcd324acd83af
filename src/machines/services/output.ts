/** The last output of a service, which its machine keeps in two files of limited size. */

import { join } from "@std/path/posix";
import type { Host } from "../../host/host.ts";
import { printable } from "../../text/printable.ts";
import { CHANNEL } from "../record/channel.ts";
import type { MachinePaths } from "../record/paths.ts";

/** Bytes that are read of each file. */
const MAX_BYTES = 65_536;

/** Returns the files with the output of a service, the older one first. */
export async function outputFiles(
  host: Host,
  { own }: Pick<MachinePaths, "own">,
): Promise<string[]> {
  const files = CHANNEL.logs.map((name) => join(own, name));
  const times = await Promise.all(
    files.map(async (path) => (await host.files.lstat(path))?.modified?.getTime() ?? 0),
  );
  return times[0]! > times[1]! ? files.reverse() : files;
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
  const parts: string[] = [];
  for (const file of await outputFiles(host, paths)) {
    parts.push(await host.files.readEnd(file, MAX_BYTES) ?? "");
  }
  const lines = parts.join("").split("\n").map(shownLine);
  return lines.filter((line) => line !== "").slice(-count);
}

/** Returns a line of output as it can be shown: without colours, and with nothing that controls a terminal. */
export function shownLine(line: string): string {
  // deno-lint-ignore no-control-regex
  return printable(line.replaceAll(/\x1b\[[\d;]*m/g, "")).trimEnd();
}
