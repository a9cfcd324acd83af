/** The context of commands on chroots: the host, the configuration, the machines, the trial of a new tree. */

import type { ChrootName } from "../../config/chroot_name.ts";
import type { Config, MachineSettings } from "../../config/settings.ts";
import type { Host } from "../../host/host.ts";
import type { ChrootMachines } from "./chroot_machines.ts";
import type { ImageConfig } from "./oci_config.ts";

/** Passed to every function that changes chroots. */
export interface ChrootContext {
  readonly host: Host;
  readonly config: Config;
  readonly machines: ChrootMachines;
  readonly trial: Trial;
  /** Aborted by a signal: the command gives up, and the chroot stays as it was. */
  readonly interrupt: AbortSignal;
}

/** A complete tree that is to become a generation. */
export interface Candidate {
  readonly name: ChrootName;
  readonly tree: string;
  readonly settings: MachineSettings;
  readonly image: ImageConfig | null;
}

/**
 * Proves that jobs can run in a tree: starts a machine from it, and runs the shell and git there.
 * The machine's writes are discarded.
 *
 * @throws {Failure} where jobs could not run in it.
 */
export type Trial = (candidate: Candidate, interrupt: AbortSignal) => Promise<void>;
