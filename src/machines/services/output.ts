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
  const lines = parts.join("").split("\n").map((line) => printable(line).trimEnd());
  return lines.filter((line) => line !== "").slice(-count);
}
