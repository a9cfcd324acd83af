/** Who uses a chroot: told by whoever knows machines. */

import { refused } from "../failure.ts";
import type { ChrootName } from "./name.ts";

/** A machine, as far as chroots care. */
export interface ChrootUser {
  readonly machine: string;
  readonly chroot: { readonly name: string };
  /** When the machine came to be, as ISO 8601. */
  readonly created: string;
  /** How its writes are kept off the chroot: a `btrfs` snapshot does not need it any more. */
  readonly storage: string;
}

/** All machines that there are at this moment. */
export type Users = () => Promise<readonly ChrootUser[]>;

/**
 * Refuses where machines run from a chroot.
 *
 * @param users Who might.
 * @param name The chroot.
 * @param verb What cannot be done to it, for the message.
 * @throws {Failure} that names them.
 */
export async function refuseUsed(users: Users, name: ChrootName, verb: string): Promise<void> {
  const machines = (await users()).filter((user) => uses(user, name)).map((user) => user.machine);
  if (machines.length === 0) return;
  throw refused(
    `Cannot ${verb} chroot ${name}: in use by ${machines.join(", ")}`,
    "Try again when these machines have ended; `nspawn-runner cleanup --id ID` ends one",
  );
}

/**
 * Whether a machine reads from a chroot's tree.
 *
 * @param user The machine.
 * @param name The chroot.
 * @returns False for a machine that has a copy of its own.
 */
export function uses(user: ChrootUser, name: ChrootName): boolean {
  return user.chroot.name === name && user.storage !== "btrfs";
}
