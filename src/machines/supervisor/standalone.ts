/** Keeps machines alive by detached processes of nspawn, on hosts where systemd is not PID 1. */

import type { Host } from "../../host/host.ts";
import { cgroupPaths, endCgroup } from "../../linux/cgroups.ts";
import { BOOT_ID, parseStat, readKernel } from "../../linux/proc.ts";
import type { Lease } from "../record/lease.ts";
import type { Supervisor } from "./supervisor.ts";

/**
 * Each nspawn gets its own cgroup: two in one cgroup would both take it for theirs. It has no limits.
 */
export const standalone: Supervisor = {
  kind: "standalone",
  enforcesLimits: false,
  cgroupsFor: (facts, name) => cgroupPaths(facts, `nspawn-runner-${name}`),
  async start(host, spec, lease, signal) {
    const { startDetached } = await import("./start_detached.ts");
    return await startDetached(host, spec, lease, signal);
  },
  isAlive,
  ranOutOfMemory: () => Promise.resolve(false), // there is no limit of memory
  stop: (host, { cgroups }) => endCgroup(host, cgroups, NSPAWN_GRACE),
  // Its cgroup has the machine's name: a process in the background could end the next machine of that name.
  kill: () => Promise.resolve(null),
};

/** The process id may belong to another process: it is compared with the start time and the boot of the host. */
async function isAlive(host: Host, { boot, leader }: Lease): Promise<boolean> {
  if (leader === null) return false;
  const text = await readKernel(host, BOOT_ID, `/proc/${leader.pid}/stat`);
  const [currentBoot, stat = ""] = text.split("\n");
  return currentBoot === boot && parseStat(stat)?.start === leader.start;
}

/** Seconds for nspawn to remove its mounts after its machine was killed. */
const NSPAWN_GRACE = 5;
