/** Mounts that the host is to have: fstab(5). */

import type { Host } from "../host/host.ts";
import { parseMounts, readKernel } from "./proc.ts";

/**
 * Returns the mount point that is to hold a path by `/etc/fstab`, and at which nothing is mounted; null where nothing is
 * missing. Starts a process only where the file names such a mount point.
 */
export async function missingMount(host: Host, path: string): Promise<string | null> {
  const text = await host.files.read("/etc/fstab") ?? "";
  const points = text.split("\n").filter((line) => !line.trimStart().startsWith("#"))
    .map((line) => line.trim().split(/[ \t]+/)[1] ?? "")
    .filter((point) => point.startsWith("/") && point !== "/")
    .map((point) => point.replaceAll("\\040", " ").replace(/\/+$/, ""))
    .filter((point) => path === point || path.startsWith(`${point}/`));
  if (points.length === 0) return null;
  const mounted = parseMounts(await readKernel(host, "/proc/self/mountinfo"));
  return points.find((wanted) => !mounted.some(({ point }) => point === wanted)) ?? null;
}
