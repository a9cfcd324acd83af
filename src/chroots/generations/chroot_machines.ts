/**
 * What chroots need to know of machines: an interface, since chroots do not know how machines work.
 */

import type { ChrootName } from "../../config/chroot_name.ts";
import type { Host } from "../../host/host.ts";
import { ChrootFailure } from "./chroot_failure.ts";
import { chrootPaths } from "./paths.ts";

/** A machine, as chroots see it. */
export interface ChrootMachine {
  readonly machine: string;
  /** The chroot, and the tree that the machine was started from. */
  readonly chroot: { readonly name: string; readonly path: string };
  /** The kind of storage: a machine on a `btrfs` snapshot no longer reads the chroot's tree. */
  readonly storage: string;
  /** Whether the machine is being started, and so may not have opened its tree yet. */
  readonly starting: boolean;
}

/** All machines of a host. */
export interface ChrootMachines {
  /** Lists the machines that exist at this moment. */
  list(): Promise<readonly ChrootMachine[]>;
  /** Runs `act`, which must be quick, while no machine can begin to use a tree. */
  whileNoneStarts<T>(act: () => Promise<T>): Promise<T>;
  /**
   * Removes what is derived from a tree for machines (its shifted layers), since the tree changes
   * in place.
   */
  dropLayers(tree: string): Promise<void>;
}

/**
 * Lists the machines that were started from any generation of a chroot. Trees are compared, not
 * names: a machine may have reached the chroot by a symlink of another name.
 */
export async function machinesOf(
  host: Host,
  store: string,
  machines: ChrootMachines,
  name: ChrootName,
): Promise<ChrootMachine[]> {
  const { path, generations } = chrootPaths(await host.files.real(store) ?? store, name);
  const isOfChroot = (tree: string) => tree === path || tree.startsWith(`${generations}/`);
  return (await machines.list()).filter(({ chroot }) => isOfChroot(chroot.path));
}

/**
 * Returns the failure of a change that machines prevent.
 *
 * @param verb The change, as in `Cannot VERB chroot NAME`.
 * @param hint What helps, apart from waiting.
 */
export function inUse(
  machines: readonly ChrootMachine[],
  name: ChrootName,
  verb: string,
  hint: string,
): Error {
  const list = machines.map(({ machine }) => machine).join(", ");
  return new ChrootFailure(
    "refused",
    name,
    `Cannot ${verb} chroot ${name}: in use by ${list}`,
    `Try again when they have ended; ${hint}${keptHint(machines)}`,
  );
}

/** A machine that is kept of a failed job ends when its time is over, or by a command. */
function keptHint(machines: readonly ChrootMachine[]): string {
  const id = machines.map(({ machine }) => machine.match(/^held-(.*)/)?.[1]).find(Boolean);
  return id === undefined
    ? ""
    : `. To remove what is kept of a failed job: nspawn-runner shell ${id} --done`;
}
