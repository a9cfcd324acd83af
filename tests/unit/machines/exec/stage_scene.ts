/** A machine in which one stage runs, with scripted answers of the kernel, the client and the machine's systemd. */

import type { Ending } from "../../../../src/ending.ts";
import type { Exec, RunningMachine, StageRun } from "../../../../src/machines/exec/exec.ts";
import type { Leader, Lease } from "../../../../src/machines/record/lease.ts";
import { type Answer, type Recording, recordingHost } from "../../recording_host.ts";
import { leaseOf } from "../fixture.ts";

export const NONCE = "0123abcd";

/** PID 1 of the machine. */
export const LEADER: Leader = {
  pid: 77,
  start: 5,
  cgroup: "/cg/m",
  dropped: [12, 14],
  noNewPrivileges: true,
  filtered: true,
};

/** proc_pid_stat(5) of that PID 1. */
export const ALIVE_STAT = `77 (init) S ${Array(18).fill("0").join(" ")} 5 0\n`;

/** What a test decides. */
export interface StageScene {
  readonly exec: Exec;
  readonly lease?: Partial<Lease>;
  readonly leader?: Leader;
  /** What the stage has reported by its end. */
  readonly report: string;
  /** The exit code of the client. */
  readonly clientCode?: number;
  /** Whether the supervisor still knows the machine. */
  readonly isKnown?: boolean;
  /** proc_pid_stat(5) of the machine's PID 1. */
  readonly stat?: string;
  /** The answer of `systemctl is-system-running` in the machine. */
  readonly state?: string;
  readonly isCancelled?: boolean;
}

/** Runs the stage of a scene. */
export async function runScene(scene: StageScene): Promise<Recording & { ending: Ending }> {
  const recording = recordingHost({
    answer(argv): Answer {
      if (argv[0] === "cat") return { stdout: scene.stat ?? ALIVE_STAT };
      if (argv.includes("is-system-running")) return { stdout: `${scene.state ?? "running"}\n` };
      return { code: scene.clientCode ?? 0 };
    },
  });
  const running: RunningMachine = {
    lease: leaseOf("/store", "42", { leader: LEADER, ...scene.lease }),
    leader: scene.leader ?? LEADER,
    isAlive: () => Promise.resolve(scene.isKnown ?? true),
  };
  const stage: StageRun = {
    nonce: NONCE,
    argv: ["/bin/sh", "reporter"],
    report: () => Promise.resolve(scene.report),
  };
  const cancel = new AbortController();
  if (scene.isCancelled) cancel.abort();
  const ending = await scene.exec.run(recording.host, running, stage, cancel.signal);
  return { ending, ...recording };
}

/** The report of a stage that ended with this code. */
export function reportOf(code: number): string {
  return `${NONCE} started\n${NONCE} ${code}\n`;
}
