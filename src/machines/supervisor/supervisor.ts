/** The interface `Supervisor`: what keeps a machine alive and enforces its limits. */

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
  /**
   * Kills all processes of a machine at once. What supervised the machine ends by itself a moment later.
   *
   * @param background A command that is started, too, and outlives this process; empty for none.
   * @returns Waits until no process is left, and gives false where that takes too long. Null where the machine does not
   *   run, or cannot be killed so, and nothing was started: then it has to be stopped.
   */
  kill(
    host: Host,
    lease: Lease,
    background: readonly string[],
  ): Promise<(() => Promise<boolean>) | null>;
}

/** How many lines of a machine's output a failure contains at most. */
export const MAX_LOG_LINES = 20;

/** Longest wait for a killed machine to be gone, in milliseconds. */
export const STOP_TIMEOUT = 10_000;
