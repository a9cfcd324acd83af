/** The joint that answers: who keeps a machine alive, and binds its limits? */

import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import type { KernelFacts } from "../../linux/proc.ts";
import type { InitProcess } from "../nspawn/init_process.ts";
import type { Lease, SupervisorKind } from "../record/lease.ts";
import type { MachineName } from "../record/name.ts";
import type { MachineSpec } from "../nspawn/spec.ts";

/** One way to keep machines alive. */
export interface Supervisor {
  readonly kind: SupervisorKind;
  /** Whether the limits of a machine bind. */
  readonly enforcesLimits: boolean;
  /**
   * The cgroups to be made for a machine; known before anything is created, so that a lease can name them.
   *
   * @param facts What the kernel says.
   * @param name The machine.
   * @returns Absolute paths; none where systemd makes one.
   */
  cgroupsFor(facts: KernelFacts, name: MachineName): readonly string[];
  /**
   * Starts a machine and waits until it takes commands.
   *
   * @param host The outside.
   * @param spec The machine.
   * @param lease Its lease, already written.
   * @param signal Gives up when aborted.
   * @returns The machine's PID 1.
   * @throws {Failure} of the host, with the machine's last words.
   */
  start(host: Host, spec: MachineSpec, lease: Lease, signal: AbortSignal): Promise<InitProcess>;
  /**
   * Whether a machine runs.
   *
   * @param host The outside.
   * @param lease Whose machine.
   * @returns False from the moment of its end.
   */
  isAlive(host: Host, lease: Lease): Promise<boolean>;
  /**
   * Whether a machine that was lost had processes killed for their memory: what counts them is gone with it.
   *
   * @param host The outside.
   * @param lease Whose machine.
   * @param since Looks no further back, in milliseconds.
   * @returns False where nobody tells.
   */
  ranOutOfMemory(host: Host, lease: Lease, since: number): Promise<boolean>;
  /**
   * Ends a machine: it is gone when this returns. Fine when it never was.
   *
   * @param host The outside.
   * @param lease Whose machine.
   * @throws {Failure} of the host when it does not go.
   */
  stop(host: Host, lease: Lease): Promise<void>;
}

/** How many of a machine's last lines a failure carries. */
export const MAX_LOG_LINES = 20;

/**
 * Why a machine did not start: the reason first, and below it what was said before. The command line, which is
 * long, is what `--debug` shows.
 *
 * @param spec The machine.
 * @param said All that it said, or that was said of it.
 * @param isLate Whether its time was over; else its last words tell why it ended.
 * @returns The failure, to be thrown.
 */
export function cannotStart(
  { name, settings: { prepare_timeout } }: MachineSpec,
  said: string,
  isLate: boolean,
): Error {
  const lines = said.split("\n").filter((line) => line.trim() !== "").slice(-MAX_LOG_LINES);
  const reason = isLate
    ? `it was not ready within ${prepare_timeout} s`
    : lines.pop() ?? "it ended without a word";
  return hostFailure(
    [`Cannot start machine ${name}: ${reason}`, ...lines].join("\n"),
    isLate ? "prepare_timeout gives it more" : CRASH.test(reason) ? CRASH_HINT : undefined,
  );
}

/** nspawn's words for a payload that a signal of the kernel ended, such as a SEGV. */
const CRASH = /terminated by signal (ABRT|BUS|FPE|ILL|SEGV)\b/;
const CRASH_HINT =
  "The chroot's own init or /bin/sh crashes, as with libraries of another release: " +
  "make the chroot anew, by chroot-remove and chroot-create";

/** Longest wait for a killed machine to be gone, in milliseconds. */
export const STOP_TIMEOUT = 10_000;
