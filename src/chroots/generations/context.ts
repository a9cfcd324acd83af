/** The context of commands on chroots: the host, the configuration, the machines, for builds and for trials of trees. */

import type { ChrootName } from "../../config/chroot_name.ts";
import type { Config, MachineSettings } from "../../config/settings.ts";
import type { Argv, Host } from "../../host/host.ts";
import type { ChrootMachines } from "./chroot_machines.ts";
import type { ImageConfig } from "../../images/store/image_config.ts";

/** Passed to every function that changes chroots. */
export interface ChrootContext {
  readonly host: Host;
  readonly config: Config;
  readonly machines: ChrootMachines;
  readonly trial: Trial;
  readonly withBuildMachine: WithBuildMachine;
  /** Aborted by a signal: the command gives up, and the chroot stays as it was. */
  readonly interrupt: AbortSignal;
}

/** A complete tree that is to become a generation. */
export interface Candidate {
  readonly name: ChrootName;
  readonly tree: string;
  readonly settings: MachineSettings;
  readonly image: ImageConfig | null;
  /** The strangers' image or tar file from which its programs came; null where the administrator made them. */
  readonly stranger: string | null;
}

/**
 * Proves that jobs can run in a tree: starts a machine from it, and runs the shell and git there.
 * The machine's writes are discarded.
 *
 * @throws {Failure} where jobs could not run in it, or a stranger's systemd would be root of the host.
 */
export type Trial = (candidate: Candidate, interrupt: AbortSignal) => Promise<void>;

/** A tree that programs of its own are to change. */
export interface BuildRequest extends Candidate {
  /** A folder of the host that the machine sees read-only, with the owners that it has on the disk; null for none. */
  readonly files: { readonly from: string; readonly to: string } | null;
}

/** A machine as jobs get it, but with the tree itself as its root: what its programs write stays in the tree. */
export interface BuildMachine {
  /** Owners from this id on are nobody in the machine; infinite where it shares the ids of the host. */
  readonly ids: number;
  /** Returns the command line that runs a command in the machine as root, with the caller's environment. */
  enter(argv: readonly string[]): Argv;
  /** Opens a shell on the streams of this process, and returns its exit code. */
  openShell(): Promise<number>;
}

/**
 * Starts a build machine, and ends it with all its processes when `act` returns or throws.
 *
 * @param interrupt Ends the start when aborted.
 * @throws {Failure} where the machine does not start or end, or a stranger's programs would be root of the host.
 */
export type WithBuildMachine = <T>(
  request: BuildRequest,
  interrupt: AbortSignal,
  act: (machine: BuildMachine) => Promise<T>,
) => Promise<T>;
