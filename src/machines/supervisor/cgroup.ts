/** Cgroups that we make ourselves: cgroups(7). */

import { join } from "@std/path/posix";
import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { until } from "../process.ts";
import { mounts } from "../storage/mounts.ts";

/** Longest wait for killed processes to be gone, in milliseconds. */
const PATIENCE = 5_000;

/**
 * Kills all in a cgroup and removes it. Fine when it is not there.
 *
 * @param host The outside.
 * @param cgroup Its path in the unified hierarchy.
 * @throws {Failure} of the host when it does not go.
 */
export async function removeCgroup(host: Host, cgroup: string): Promise<void> {
  if (await host.files.lstat(cgroup) === null) return;
  await killCgroup(host, cgroup);
  const removed = await until(host, PATIENCE, () => removeEmpty(host, cgroup));
  if (!removed) {
    throw hostFailure(`Cannot remove cgroup ${cgroup}: its processes do not end`);
  }
  await removeTwins(host, cgroup);
}

/**
 * Kills all in a cgroup and below.
 *
 * @param host The outside.
 * @param cgroup Its path in the unified hierarchy.
 */
export async function killCgroup(host: Host, cgroup: string): Promise<void> {
  try {
    await host.files.write(join(cgroup, "cgroup.kill"), "1");
  } catch (error) {
    // Linux before 5.14 has no such file, and a cgroup that is gone has none either.
    host.log.debug(`cgroup.kill of ${cgroup}: ${error}`);
    await signalCgroup(host, cgroup, "SIGKILL");
  }
}

/**
 * Signals all processes in a cgroup and below.
 *
 * @param host The outside.
 * @param cgroup Its path in the unified hierarchy.
 * @param signal The signal.
 */
export async function signalCgroup(
  host: Host,
  cgroup: string,
  signal: Deno.Signal,
): Promise<void> {
  for (const folder of await below(host, cgroup)) {
    const processes = await host.files.read(join(folder, "cgroup.procs")).catch(() => null);
    for (const line of (processes ?? "").split("\n")) {
      if (Number(line) > 0) host.processes.signal(Number(line), signal);
    }
  }
}

/**
 * Whether nothing runs in a cgroup or below.
 *
 * @param host The outside.
 * @param cgroup Its path in the unified hierarchy.
 * @returns True also when it is not there.
 */
export async function isEmpty(host: Host, cgroup: string): Promise<boolean> {
  const events = await host.files.read(join(cgroup, "cgroup.events"));
  return events === null || events.includes("populated 0");
}

/** A cgroup and all below it, parents first. */
async function below(host: Host, cgroup: string): Promise<string[]> {
  const folders = [cgroup];
  for (const name of await host.files.list(cgroup)) {
    const path = join(cgroup, name);
    if ((await host.files.lstat(path))?.kind === "directory") {
      folders.push(...await below(host, path));
    }
  }
  return folders;
}

async function removeEmpty(host: Host, cgroup: string): Promise<boolean> {
  try {
    for (const folder of (await below(host, cgroup)).reverse()) await host.files.remove(folder);
    return true;
  } catch {
    return false; // busy: a process in it has not ended yet
  }
}

/** In a mixed hierarchy nspawn makes the same folders below systemd's own mount of version 1. */
async function removeTwins(host: Host, cgroup: string): Promise<void> {
  const points = (await mounts(host)).filter(({ type }) => type.startsWith("cgroup"));
  const unified = points.find(({ type }) => type === "cgroup2")?.point;
  if (unified === undefined) return;
  for (const { point, type } of points) {
    if (type === "cgroup") await removeEmpty(host, join(point, cgroup.slice(unified.length)));
  }
}
