import type { Work } from "../chroots/create.ts";
import type { Users } from "../chroots/users.ts";
import type { Context } from "../cli/spec.ts";
import type { Host } from "../host/host.ts";
import { listLeases } from "../machines/lease.ts";
import { interruptible } from "./interrupt.ts";

/**
 * Who uses chroots: machines, as their leases tell.
 *
 * @param host The outside.
 * @param store The store's folder.
 * @returns What asks for them.
 */
export function machinesOf(host: Host, store: string): Users {
  return () => listLeases(host, store);
}

/**
 * Runs a work on chroots that a signal can interrupt.
 *
 * @param context What the command works with.
 * @param act The work.
 * @returns What it returns.
 */
export async function working<T>(
  { host, config: load }: Context,
  act: (work: Work) => Promise<T>,
): Promise<T> {
  const config = await load();
  const users = machinesOf(host, config.store);
  return await interruptible(host, (interrupt) => act({ host, config, users, interrupt }));
}
