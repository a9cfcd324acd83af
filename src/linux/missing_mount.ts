/** Mounts that the host is to have: fstab(5), and units of the administrator, systemd.mount(5). */

import { join } from "@std/path/posix";
import type { Host } from "../host/host.ts";
import { foldersOnPath } from "./lookup.ts";
import { isBelow, type Mount, parseMounts, readKernel, unescapeOctal } from "./proc.ts";

/** A configured mount point at which nothing is mounted. */
export interface MissingMount {
  readonly point: string;
  /** The file that configures the mount. */
  readonly file: string;
  /** Whether the host may mount nothing there by itself, so that it is as it should. */
  readonly isManual: boolean;
}

/**
 * Returns the configured mount point that is to hold a path, and at which nothing is mounted; null where nothing is
 * missing.
 *
 * @param path An absolute path; a symlink on it may lead to what is not mounted.
 * @param mounts Where undefined, a process reads them, if a mount of the path is configured.
 */
export async function missingMount(
  host: Host,
  path: string,
  mounts?: readonly Mount[],
): Promise<MissingMount | null> {
  // Something in it is looked up in all folders on the path, and in the path itself.
  const places = await foldersOnPath(host, join(path, "x"));
  const wanted = [...await inFstab(host, places), ...await inUnits(host, places)];
  if (wanted.length === 0) return null;
  const mounted = mounts ?? parseMounts(await readKernel(host, "/proc/self/mountinfo"));
  const missing = wanted.filter(({ point }) => !mounted.some((mount) => mount.point === point));
  return missing.find(({ isManual }) => !isManual) ?? missing[0] ?? null;
}

async function inFstab(host: Host, places: readonly string[]): Promise<MissingMount[]> {
  const text = await host.files.read(FSTAB) ?? "";
  return text.split("\n").flatMap((line) => parseLine(line) ?? [])
    .filter(({ point }) => places.some((place) => isBelow(point, place)));
}

const FSTAB = "/etc/fstab";

function parseLine(line: string): MissingMount | null {
  const [, field = "", , options = ""] = line.trim().split(/[ \t]+/);
  const point = unescapeOctal(field).replace(/\/+$/, "");
  if (line.trimStart().startsWith("#") || !point.startsWith("/")) return null;
  const words = options.split(",");
  // systemd mounts it on demand: systemd.mount(5).
  const isManual = words.includes("noauto") && !words.includes("x-systemd.automount");
  return { point, file: FSTAB, isManual };
}

/** A masked unit mounts nothing. Whether another one is enabled, and what else starts it, is not read. */
async function inUnits(host: Host, places: readonly string[]): Promise<MissingMount[]> {
  const units = places.filter((place) => place !== "/")
    .map((point) => ({ point, file: `/etc/systemd/system/${unitName(point)}`, isManual: true }));
  const isMount = async ({ file }: MissingMount) =>
    await host.files.lstat(file) !== null && await host.files.readLink(file) !== "/dev/null";
  const areMounts = await Promise.all(units.map(isMount));
  return units.filter((_unit, index) => areMounts[index]);
}

/** Returns the name of a mount point's unit, as systemd-escape(1) does. */
function unitName(point: string): string {
  const bytes = [...new TextEncoder().encode(point.slice(1))];
  const words = bytes.map((byte, index) => {
    const character = String.fromCharCode(byte);
    if (character === "/") return "-";
    const isPlain = /[A-Za-z0-9:_.]/.test(character) && !(index === 0 && character === ".");
    return isPlain ? character : `\\x${byte.toString(16).padStart(2, "0")}`;
  });
  return `${words.join("")}.mount`;
}
