/** Which folders decide what a path leads to: path_resolution(7). */

import { join } from "@std/path/posix";
import type { Host } from "../host/host.ts";
import { isBelow, type MountedFolder, mountOf, parseMounts, readKernel } from "./proc.ts";

/** The kernel follows no more symlinks of one path. */
const MOST_LINKS = 40;

/**
 * Returns the folders, without symlinks, in which the parts of a path are looked up, and those of each symlink on the
 * way. Write access to one of them is enough to change what the path leads to.
 *
 * @param path An absolute path.
 */
export async function foldersOnPath(host: Host, path: string): Promise<string[]> {
  const folders = new Set<string>();
  const parts = partsOf(path);
  let folder = "/";
  for (let links = 0; parts.length > 0 && links <= MOST_LINKS;) {
    const part = parts.shift()!;
    if (part !== "..") folders.add(folder);
    const next = join(folder, part);
    const target = part === ".." ? null : await host.files.readLink(next);
    if (target === null) {
      folder = next;
      continue;
    }
    links++;
    if (target.startsWith("/")) folder = "/";
    parts.unshift(...partsOf(target));
  }
  return [...folders];
}

function partsOf(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

/** Reads all mounts, with a process. */
export async function readMounts(host: Host): Promise<MountedFolder[]> {
  return parseMounts(await readKernel(host, "/proc/self/mountinfo"));
}

/** Finds out whether a path depends on some folders. */
export interface FolderFinder {
  /** Returns the first of the folders in which the path is looked up; undefined where there is none. */
  onPath(path: string): Promise<string | undefined>;
  /** Returns the same, or the first of the folders that the path leads to or that lies below. */
  onPathOrInside(path: string): Promise<string | undefined>;
}

/**
 * Returns what finds the one of some folders that decides what another path leads to, also by way of symlinks and of
 * mounts that show the same folder elsewhere.
 *
 * @param folders Absolute paths; one that does not exist is compared by its name.
 * @param known All mounts; a process reads them where they are undefined.
 */
export async function folderFinder(
  host: Host,
  folders: readonly string[],
  known?: readonly MountedFolder[],
): Promise<FolderFinder> {
  const mounts = known ?? await readMounts(host);
  const places = new Map<string, readonly Place[]>();
  for (const folder of folders) {
    places.set(folder, placesIn(mounts, await host.files.real(folder) ?? folder));
  }
  const find = (isWanted: (place: Place) => boolean) =>
    folders.find((folder) => places.get(folder)!.some(isWanted));
  const onPath = async (path: string) => {
    const visited = (await foldersOnPath(host, path)).map((one) => placeOf(mounts, one));
    return find((place) => visited.some((one) => isIn(one, place)));
  };
  return {
    onPath,
    async onPathOrInside(path) {
      const inside = placesIn(mounts, await host.files.real(path) ?? path);
      return await onPath(path) ??
        find((place) => inside.some((one) => isIn(place, one) || isIn(one, place)));
    },
  };
}

/** A folder of a file system, at whatever mount point. */
interface Place {
  readonly device: string;
  readonly path: string;
}

/** Returns the places that a folder shows: its own, and those of the mounts in it. */
function placesIn(mounts: readonly MountedFolder[], folder: string): Place[] {
  const inside = mounts.filter(({ point }) => isBelow(folder, point));
  return [
    placeOf(mounts, folder),
    ...inside.map(({ device, root }) => ({ device, path: root })),
  ];
}

function placeOf(mounts: readonly MountedFolder[], path: string): Place {
  const mount = mountOf(mounts, path);
  if (mount === undefined) return { device: "", path };
  const { device, root, point } = mount;
  return { device, path: join(root, path.slice(point === "/" ? 0 : point.length)) };
}

function isIn(one: Place, other: Place): boolean {
  return one.device === other.device && isBelow(other.path, one.path);
}
