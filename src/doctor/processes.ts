/** Checks whether one job, or all together, can take all processes that the kernel can have. */

import { readKernel } from "../linux/proc.ts";
import { isSystemdHost } from "../linux/systemd.ts";
import { SLICE, SLICE_TASKS_PERCENT } from "../machines/supervisor/unit.ts";
import { type Check, type Finding, ok, weak } from "./finding.ts";

const TOPIC = "processes";

/** Whether the limits of processes leave some to other machines and to the host: their table has no other limit. */
export const processes: Check = async (host, { limits: { tasks_max } }) => {
  if (!await isSystemdHost(host)) return []; // the finding of limits()
  const text = await readKernel(host, "/proc/sys/kernel/pid_max", "/proc/sys/kernel/threads-max");
  const all = Math.min(...text.trim().split("\n").map(Number));
  const share = Math.floor(all * SLICE_TASKS_PERCENT / 100);
  const argv = ["systemctl", "show", "--value", "--property=TasksMax", SLICE] as const;
  const shown = (await host.processes.capture(argv)).stdout.trim();
  // Without a limit, the slice gets one with the next machine.
  const ofSlice = Number(shown) || share;
  const findings: Finding[] = [];
  if (ofSlice > share) {
    findings.push(weak(
      TOPIC,
      `machines may have ${ofSlice} of the kernel's ${all}`,
      `systemctl set-property ${SLICE} TasksMax=${SLICE_TASKS_PERCENT}%`,
    ));
  }
  if (numberOf(tasks_max, all) >= Math.min(ofSlice, share)) {
    findings.push(weak(
      TOPIC,
      `one machine may have all of the ${Math.min(ofSlice, share)} that machines share`,
      'Set limits.tasks_max to less, such as "20%"',
    ));
  }
  return findings.length > 0
    ? findings
    : ok(TOPIC, `${tasks_max} in a machine, ${ofSlice} in all machines, ${all} in the kernel`);
};

/** Returns the number that TasksMax= means: a share is one of all that the kernel can have. */
function numberOf(limit: string, all: number): number {
  if (limit === "infinity") return Infinity;
  const count = parseInt(limit);
  return limit.endsWith("%") ? all * count / 100 : count;
}
