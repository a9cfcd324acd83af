import type { Leader } from "../../../../src/machines/record/lease.ts";

/** PID 1 of a machine. */
export const LEADER: Leader = {
  pid: 77,
  start: 5,
  cgroup: "/cg/m/payload",
  dropped: [12, 14],
  noNewPrivileges: true,
  filtered: true,
};

/** proc_pid_stat(5) of that PID 1. */
export const ALIVE_STAT = `77 (init) S ${Array(18).fill("0").join(" ")} 5 0\n`;
