/** Who uses chroots: told by whoever knows machines. */

import { refused } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import type { ChrootName } from "../../config/chroot_name.ts";
import { chrootPlaces } from "./places.ts";

/** A machine, as far as chroots care. */
export interface ChrootMachine {
  readonly machine: string;
  /** The chroot, and the tree that the machine started from. */
  readonly chroot: { readonly name: string; readonly path: string };
  /** How its writes are kept off the chroot: a `btrfs` snapshot does not need it any more. */
  readonly storage: string;
  /** Whether it is being started, and so does not have its tree in hand yet. */
  readonly starting: boolean;
}

/** All machines. */
export interface ChrootMachines {
  /** Those that there are at this moment. */
  list(): Promise<readonly ChrootMachine[]>;
  /** Does something while no machine begins to use a tree; that takes no longer than a moment. */
  whileNoneStarts<T>(act: () => Promise<T>): Promise<T>;
}

/**
 * The machines of a chroot, by whatever name they reached it: a symlink may be another one.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @param users Who might.
 * @param name The chroot.
 * @returns Those that started from any of its generations.
 */
export async function machinesOf(
  host: Host,
  store: string,
  users: ChrootMachines,
  name: ChrootName,
): Promise<ChrootMachine[]> {
  const { path, generations } = chrootPlaces(await host.files.real(store) ?? store, name);
  const isOurs = (tree: string) => tree === path || tree.startsWith(`${generations}/`);
  return (await users.list()).filter(({ chroot }) => isOurs(chroot.path));
}

/**
 * Says that machines keep something from being done.
 *
 * @param found The machines.
 * @param name The chroot.
 * @param verb What cannot be done to it.
 * @param hint What helps besides patience.
 * @returns The failure, to be thrown.
 */
export function inUse(
  found: readonly ChrootMachine[],
  name: ChrootName,
  verb: string,
  hint: string,
): Error {
  const machines = found.map((user) => user.machine).join(", ");
  return refused(
    `Cannot ${verb} chroot ${name}: in use by ${machines}`,
    `Try again when they have ended; ${hint}`,
  );
}
