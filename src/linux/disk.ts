/** Free and used space, by df(1) and du(1). */

import type { Argv, Host } from "../host/host.ts";

/** The space of a file system. */
export interface DiskSpace {
  /** Bytes that can still be written. */
  readonly free: number;
  /** Bytes in total. */
  readonly size: number;
  /** Files that can still be made; null where the file system has no such limit, as btrfs: it tells none in total. */
  readonly freeInodes: number | null;
}

/** Prints what {@linkcode parseDiskSpace} reads; a path follows. */
export const DF = ["df", "--block-size=1", "--output=avail,size,iavail,itotal"] as const;

/** Returns the space of the file system that holds a path; null where df(1) does not tell. */
export async function diskSpace(host: Host, path: string): Promise<DiskSpace | null> {
  return parseDiskSpace((await host.processes.capture([...DF, path])).stdout);
}

/** Returns the space in a text that holds what df(1) printed; null where there is none. */
export function parseDiskSpace(text: string): DiskSpace | null {
  const [, free, size, inodes, allInodes] = text.match(/^ *(\d+) +(\d+) +(\d+|-) +(\d+|-)$/m) ?? [];
  if (free === undefined) return null;
  const freeInodes = Number(allInodes) > 0 ? Number(inodes) : null;
  return { free: Number(free), size: Number(size), freeInodes };
}

/**
 * Returns how many bytes a tree takes on its disk, without what is mounted in it.
 *
 * @param seconds How long du(1) may take: a job may have written millions of files.
 * @returns Null where du(1) does not tell, or takes longer.
 */
export async function diskUsage(
  host: Host,
  path: string,
  seconds?: number,
): Promise<number | null> {
  const argv: Argv = seconds === undefined ? DU : ["timeout", `${seconds}`, ...DU];
  return (await usages(host, argv, [path])).get(path) ?? null;
}

/** Returns how many bytes each of some trees takes on its disk, without those that du(1) cannot read. */
export function diskUsages(host: Host, paths: readonly string[]): Promise<Map<string, number>> {
  return usages(host, DU, paths);
}

const DU = [
  "du",
  "--summarize",
  "--one-file-system",
  "--block-size=1",
  "--null",
  "--files0-from=-",
] as const;

async function usages(
  host: Host,
  argv: Argv,
  paths: readonly string[],
): Promise<Map<string, number>> {
  if (paths.length === 0) return new Map();
  const stdin = paths.map((path) => `${path}\0`).join("");
  const { stdout } = await host.processes.capture(argv, { stdin });
  const rows = [...stdout.matchAll(/(\d+)\t([^\0]*)\0/g)];
  return new Map(rows.map(([, bytes, path]) => [path!, Number(bytes)]));
}
