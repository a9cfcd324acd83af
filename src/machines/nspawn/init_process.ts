/** Reads the state of a machine's PID 1 from /proc. */

import { join } from "@std/path/posix";
import type { Host } from "../../host/host.ts";
import { parseCgroup, parseMounts, readKernel } from "../../linux/proc.ts";
import type { Leader } from "../record/lease.ts";
import { parseStat } from "../../linux/proc.ts";

/** The state of a machine's PID 1, with its user namespace. */
export interface InitProcess extends Leader {
  /** The map of user ids, each range as `INSIDE OUTSIDE COUNT`: user_namespaces(7). */
  readonly idMap: readonly string[];
  /** The user id on the host that owns /usr in the machine. */
  readonly rootOwner: string;
}

/**
 * Returns the state of a machine's PID 1; null where it has ended.
 *
 * @param pid Its process id on the host.
 */
export async function inspectInitProcess(host: Host, pid: number): Promise<InitProcess | null> {
  const proc = `/proc/${pid}`;
  const [text, owner] = await Promise.all([
    readKernel(
      host,
      `${proc}/stat`,
      `${proc}/status`,
      `${proc}/cgroup`,
      `${proc}/uid_map`,
      "/proc/sys/kernel/cap_last_cap",
      "/proc/self/mountinfo",
    ),
    host.processes.capture(["stat", "--format=%u", `${proc}/root/usr`]),
  ]);
  const identity = parseStat(text.split("\n")[0] ?? "");
  const cgroup = parseCgroup(text);
  const unified = parseMounts(text).find((mount) => mount.type === "cgroup2")?.point;
  if (identity === null || cgroup === null || unified === undefined) return null;
  return {
    ...identity,
    cgroup: join(unified, cgroup),
    dropped: droppedCapabilities(text),
    noNewPrivileges: /^NoNewPrivs:\s*1$/m.test(text),
    filtered: /^Seccomp:\s*2$/m.test(text),
    idMap: [...text.matchAll(/^ *(\d+) +(\d+) +(\d+)$/gm)].map((range) => range.slice(1).join(" ")),
    rootOwner: owner.stdout.trim(),
  };
}

/** Returns the numbers of the capabilities that are not in the bounding set: capabilities(7). */
function droppedCapabilities(text: string): number[] {
  const bounding = BigInt(`0x${text.match(/^CapBnd:\s*([0-9a-f]+)$/m)?.[1] ?? "0"}`);
  const last = Number(text.match(/^([0-9]{1,2})$/m)?.[1] ?? "40");
  return Array.from({ length: last + 1 }, (_, number) => number)
    .filter((number) => (bounding >> BigInt(number) & 1n) === 0n);
}
