/** Enters a machine from the host, for shells, builds and questions; scripts of jobs do not need it. */

import { join } from "@std/path/posix";
import type { Argv } from "../../host/host.ts";
import { inCgroup } from "../../linux/cgroups.ts";
import { nsenterArgv } from "../../linux/nsenter.ts";
import { aboveMachine } from "../../linux/nspawn.ts";
import type { Leader, Lease } from "../record/lease.ts";
import { machinePaths } from "../record/paths.ts";
import { withToolsAsRoot } from "./tools.ts";

/** A machine that runs. */
export interface EnteredMachine {
  readonly lease: Lease;
  /** Its PID 1. */
  readonly leader: Leader;
}

/**
 * Returns a command line that runs a command in a machine with no more capabilities than the machine's PID 1 has.
 *
 * The host's setpriv drops the capabilities, since an image may have none and a job may have replaced it. Where
 * nsenter needs a capability that has to be dropped, setpriv runs after it, among the tools copied from the host.
 */
export function enterArgv(
  { lease, leader }: EnteredMachine,
  argv: readonly string[],
): Argv {
  const setpriv = [
    "setpriv",
    ...boundingSet(leader),
    "--inh-caps=-all",
    ...(leader.noNewPrivileges ? ["--no-new-privs"] : []),
    "--",
  ] as const;
  if (!leader.dropped.includes(CAP_SYS_ADMIN)) {
    return [...setpriv, ...nsenterArgv(leader.pid), ...argv];
  }
  // nsenter opens both folders before it changes namespaces: --root is the tools', --wd the machine's root.
  const enter = nsenterArgv(leader.pid, ["--root=.", `--wd=/proc/${leader.pid}/root`]);
  const { tools } = machinePaths(lease.store, lease.machine);
  return withToolsAsRoot(tools, [...enter, ...setpriv, "chroot", ".", ...argv]);
}

/** capabilities(7), by its number in linux/capability.h. */
const CAP_SYS_ADMIN = 21;

/** By number: the host's setpriv may not know the kernel's newest names. */
function boundingSet({ dropped }: Leader): string[] {
  if (dropped.length === 0) return [];
  return [`--bounding-set=${dropped.map((number) => `-cap_${number}`).join(",")}`];
}

/**
 * Returns a command line that asks a program of the machine, which a job may have replaced: it runs in the machine's
 * cgroup, so that its limits apply and it ends with the machine, for a while only, and its output has a bound.
 *
 * @param seconds How long it may run.
 */
export function questionArgv(
  machine: EnteredMachine,
  seconds: number,
  argv: readonly string[],
): Argv {
  const question = ["timeout", `${seconds}`, ...enterArgv(machine, argv)];
  return inCgroup(join(aboveMachine(machine.leader.cgroup), "question"), [
    "sh",
    "-c",
    SHORT_OUTPUT_SCRIPT,
    "sh",
    ...question,
  ]);
}

/** Seconds that the systemd of a machine has to answer a question. */
export const ANSWER_SECONDS = 5;

/** Arguments: the command. */
export const SHORT_OUTPUT_SCRIPT = '"$@" 2>/dev/null | head -c 4096';
