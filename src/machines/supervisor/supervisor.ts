/** The joint that answers: who keeps a machine alive, and binds its limits? */

import type { Host } from "../../host/host.ts";
import type { Lease, SupervisorKind } from "../lease.ts";
import type { MachinePaths } from "../paths.ts";
import type { ProcessId } from "../process.ts";
import type { MachineSpec } from "../spec.ts";

/** One way to keep machines alive. */
export interface Supervisor {
  readonly kind: SupervisorKind;
  /** Whether the limits of a machine bind. */
  readonly limits: boolean;
  /**
   * The cgroup to be made for a machine; known before anything is created, so that a lease can name it.
   *
   * @returns An absolute path, or null where systemd makes one.
   */
  cgroup(host: Host, name: string): Promise<string | null>;
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
  start(host: Host, spec: MachineSpec, lease: Lease, signal: AbortSignal): Promise<ProcessId>;
  /**
   * Ends a machine: it is gone when this returns. Fine when it never was.
   *
   * @param host The outside.
   * @param lease Whose machine.
   * @param paths Its places.
   * @throws {Failure} of the host when it does not go.
   */
  stop(host: Host, lease: Lease, paths: MachinePaths): Promise<void>;
}

/** The command line or its log when something failed, cut to what a job's log should carry. */
export const LAST_LINES = 20;
