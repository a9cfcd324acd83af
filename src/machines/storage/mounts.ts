/** The host's mount table, proc_pid_mountinfo(5). */

import type { Host } from "../../host/host.ts";

/** One mount. */
export interface Mount {
  readonly point: string;
  readonly type: string;
}

/**
 * All mounts, in the order in which they were made.
 *
 * @param host The outside.
 * @returns One entry a mount.
 */
export async function mounts(host: Host): Promise<Mount[]> {
  const text = await host.files.read("/proc/self/mountinfo") ?? "";
  return text.split("\n").flatMap((line) => {
    const [before = "", after = ""] = line.split(" - ");
    const point = before.split(" ")[4];
    const type = after.split(" ")[0];
    return point === undefined || type === undefined ? [] : [{ point: unescape(point), type }];
  });
}

/**
 * Whether something is mounted exactly there.
 *
 * @param host The outside.
 * @param path An absolute path without symlinks.
 * @returns True for a mount point.
 */
export async function isMountPoint(host: Host, path: string): Promise<boolean> {
  return (await mounts(host)).some((mount) => mount.point === path);
}

/**
 * The type of the file system that holds a path.
 *
 * @param host The outside.
 * @param path An absolute path without symlinks.
 * @returns The type, `ext4` for one.
 */
export async function fileSystemOf(host: Host, path: string): Promise<string> {
  const holds = ({ point }: Mount) =>
    path === point || path.startsWith(point === "/" ? "/" : `${point}/`);
  const best = (await mounts(host)).filter(holds)
    // The longest mount point holds it, and of several on one point the last.
    .reduce((found, mount) => mount.point.length >= found.point.length ? mount : found, {
      point: "",
      type: "",
    });
  return best.type;
}

function unescape(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(parseInt(octal, 8)));
}
