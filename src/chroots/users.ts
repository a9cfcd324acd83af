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
 * Refuses where machines belong to a chroot.
 *
 * @param users Who might.
 * @param name The chroot.
 * @param verb What cannot be done to it, for the message.
 * @throws {Failure} that names them.
 */
export async function refuseUsed(users: Users, name: ChrootName, verb: string): Promise<void> {
  refuse((await users()).filter((user) => user.chroot.name === name), name, verb);
}

/**
 * Refuses where machines read from a chroot's tree at this moment.
 *
 * @param users Who might.
 * @param name The chroot.
 * @param verb What cannot be done to it, for the message.
 * @throws {Failure} that names them.
 */
export async function refuseRead(users: Users, name: ChrootName, verb: string): Promise<void> {
  refuse((await users()).filter((user) => reads(user, name)), name, verb);
}

function refuse(found: readonly ChrootUser[], name: ChrootName, verb: string): void {
  if (found.length === 0) return;
  const machines = found.map((user) => user.machine).join(", ");
  throw refused(
    `Cannot ${verb} chroot ${name}: in use by ${machines}`,
    "Try again when they have ended; `nspawn-runner cleanup --id ID` ends the machine of a job",
  );
}

/**
 * Whether a machine reads from a chroot's tree.
 *
 * @param user The machine.
 * @param name The chroot.
 * @returns False for a machine that has a copy of its own.
 */
export function reads(user: ChrootUser, name: ChrootName): boolean {
  return user.chroot.name === name && user.storage !== "btrfs";
}
