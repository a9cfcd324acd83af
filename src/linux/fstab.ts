/** Mounts that the host is to have: fstab(5). */

import { join } from "@std/path/posix";
import type { Host } from "../host/host.ts";
import { foldersOnPath, isBelow } from "./lookup.ts";
import { type Mount, parseMounts, readKernel, unescapeOctal } from "./proc.ts";

/** A mount point of `/etc/fstab` at which nothing is mounted. */
export interface MissingMount {
  readonly point: string;
  /** Whether the host mounts nothing there by itself, so that it may well be as it should. */
  readonly isManual: boolean;
}

/**
 * Returns the mount point that is to hold a path by `/etc/fstab`, and at which nothing is mounted; null where nothing is
 * missing.
 *
 * @param path An absolute path; a symlink on it may lead to what is not mounted.
 * @param mounts Where undefined, a process reads them, if the file names such a mount point.
 */
export async function missingMount(
  host: Host,
  path: string,
  mounts?: readonly Mount[],
): Promise<MissingMount | null> {
  const text = await host.files.read("/etc/fstab") ?? "";
  // Something in it is looked up in all folders on the path, and in the path itself.
  const places = await foldersOnPath(host, join(path, "x"));
  const wanted = text.split("\n").flatMap((line) => parseLine(line) ?? [])
    .filter(({ point }) => places.some((place) => isBelow(point, place)));
  if (wanted.length === 0) return null;
  const mounted = mounts ?? parseMounts(await readKernel(host, "/proc/self/mountinfo"));
  const missing = wanted.filter(({ point }) => !mounted.some((mount) => mount.point === point));
  return missing.find(({ isManual }) => !isManual) ?? missing[0] ?? null;
}

function parseLine(line: string): MissingMount | null {
  const [, field = "", , options = ""] = line.trim().split(/[ \t]+/);
  const point = unescapeOctal(field).replace(/\/+$/, "");
  if (line.trimStart().startsWith("#") || !point.startsWith("/")) return null;
  const words = options.split(",");
  // systemd mounts it on demand: systemd.mount(5).
  const isManual = words.includes("noauto") && !words.includes("x-systemd.automount");
  return { point, isManual };
}
