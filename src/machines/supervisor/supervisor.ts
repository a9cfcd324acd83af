/** The interface `Supervisor`: what keeps a machine alive and enforces its limits. */

import { hostFailure, messageOf } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import type { KernelFacts } from "../../linux/proc.ts";
import type { InitProcess } from "../nspawn/init_process.ts";
import type { MachineSpec } from "../nspawn/spec.ts";
import type { Lease, SupervisorKind } from "../record/lease.ts";
import type { MachineName } from "../record/name.ts";

/** One way to keep machines alive. */
export interface Supervisor {
  readonly kind: SupervisorKind;
  /** Whether a machine's limits of CPU, memory and processes are enforced. */
  readonly enforcesLimits: boolean;
  /**
   * Returns the paths of the cgroups that will be created for a machine; none where systemd creates its cgroup.
   *
   * They are known before anything is created, so that the lease can name them.
   */
  cgroupsFor(facts: KernelFacts, name: MachineName): readonly string[];
  /**
   * Starts a machine, waits until commands can enter it, and returns its PID 1.
   *
   * @param lease Its lease, already written.
   * @param signal When aborted, the start fails.
   * @throws {Failure} `host` with the last lines of the machine's output.
   */
  start(host: Host, spec: MachineSpec, lease: Lease, signal: AbortSignal): Promise<InitProcess>;
  /** Returns whether a machine runs. */
  isAlive(host: Host, lease: Lease): Promise<boolean>;
  /**
   * Returns whether processes of a machine that is gone were killed for lack of memory; false where that cannot be
   * found out. The cgroup that counts them is gone with the machine.
   *
   * @param since Milliseconds since 1970: earlier messages of the journal do not count.
   */
  ranOutOfMemory(host: Host, lease: Lease, since: number): Promise<boolean>;
  /**
   * Ends a machine and waits until it is gone; succeeds also where it never ran.
   *
   * @throws {Failure} `host` where it does not end.
   */
  stop(host: Host, lease: Lease): Promise<void>;
}

/** Milliseconds of a boot after which the log names what it waits for, again and again. */
const SLOW_BOOT = 10_000;

/**
 * Starts a machine; where its boot takes long, logs the units that its systemd waits for.
 *
 * @param findPid Finds the process id of the machine's PID 1.
 */
export async function reportWhileStarting<T>(
  host: Host,
  spec: MachineSpec,
  lease: Lease,
  findPid: () => Promise<number | null>,
  start: () => Promise<T>,
): Promise<T> {
  if (!spec.booted) return await start();
  let hasEnded = false;
  let reported = "";
  const report = async () => {
    const { runningBootJobs } = await import("./boot_jobs.ts");
    const units = (await runningBootJobs(host, lease, await findPid())).join(", ");
    if (hasEnded || units === "" || units === reported) return;
    reported = units;
    host.log.info(`Machine ${spec.name} is still booting. Its systemd waits for ${units}`);
  };
  const next = () =>
    host.clock.after(SLOW_BOOT, () => {
      cancel = next();
      report().catch((error) => host.log.warn(messageOf(error)));
    });
  let cancel = next();
  try {
    return await start();
  } finally {
    hasEnded = true;
    cancel();
  }
}

/** How many lines of a machine's output a failure contains at most. */
export const MAX_LOG_LINES = 20;

/**
 * Returns the failure of a machine that did not start: first the reason, then the lines of output before it.
 *
 * @param output The output of nspawn and the machine, and systemd's messages about them.
 * @param timedOut Whether the time was over; else the last line of the output is the reason.
 */
export function cannotStart(
  { name, settings: { prepare_timeout } }: MachineSpec,
  output: string,
  timedOut: boolean,
): Error {
  const lines = output.split("\n").filter((line) => line.trim() !== "").slice(-MAX_LOG_LINES);
  const reason = timedOut
    ? `it was not ready within ${prepare_timeout} s`
    : lines.pop() ?? "it ended without any output";
  return hostFailure(
    [`Cannot start machine ${name}: ${reason}`, ...lines].join("\n"),
    timedOut ? "Raise prepare_timeout" : CRASH.test(output) ? CRASH_HINT : undefined,
  );
}

/** nspawn's message about a payload that crashed, and the C library's own: either may come last, or be missing. */
const CRASH = /terminated by signal (ABRT|BUS|FPE|ILL|SEGV)\b|\*\*\* stack smashing detected/;
const CRASH_HINT =
  "The chroot's own init or /bin/sh crashes; its libraries may be of different releases. " +
  "Build it again: nspawn-runner chroot-remove, then nspawn-runner chroot-create";

/** Longest wait for a killed machine to be gone, in milliseconds. */
export const STOP_TIMEOUT = 10_000;
