import type { Lease } from "../record/lease.ts";

/** The parts of a lease that say who runs the machine's scripts. */
export type ScriptOwner = Pick<Lease, "user" | "ids">;

/** Returns the user id and group id on the host of the user who runs a machine's scripts. */
export function scriptOwnerIds({ user, ids }: ScriptOwner): readonly [number, number] {
  return [(ids ?? 0) + (user?.uid ?? 0), (ids ?? 0) + (user?.gid ?? 0)];
}
