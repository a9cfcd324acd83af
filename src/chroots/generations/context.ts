/** What every work on chroots needs to know. */

import type { Config, MachineSettings } from "../../config/settings.ts";
import type { Host } from "../../host/host.ts";
import type { ImageConfig } from "./oci_config.ts";
import type { ChrootName } from "../../config/chroot_name.ts";
import type { ChrootMachines } from "./machines_port.ts";

/** How chroots are worked on. */
export interface ChrootContext {
  readonly host: Host;
  readonly config: Config;
  readonly machines: ChrootMachines;
  readonly trial: Trial;
  /** Gives up when aborted; what there was stays as it was. */
  readonly interrupt: AbortSignal;
}

/** A tree that is complete, and not a generation yet. */
export interface Candidate {
  readonly name: ChrootName;
  readonly tree: string;
  readonly settings: MachineSettings;
  readonly image: ImageConfig | null;
}

/**
 * Proves that jobs can run in a tree: a machine starts from it, and the shell and git run there. What the
 * machine writes is not kept.
 *
 * @throws {Failure} where it is not fit for jobs.
 */
export type Trial = (candidate: Candidate, interrupt: AbortSignal) => Promise<void>;
