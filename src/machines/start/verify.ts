/** Verifies, from the host, that a started machine is as safe as its plan promises. */

import type { Host } from "../../host/host.ts";
import type { InitProcess } from "../nspawn/init_process.ts";
import { verifyPrivileges } from "../nspawn/privileges.ts";
import type { MachineSpec } from "../nspawn/spec.ts";
import { verifyIds } from "../nspawn/verify_ids.ts";
import type { Leader } from "../record/lease.ts";
import type { BaseTree } from "../record/plan.ts";

/**
 * Verifies a machine's privileges and user ids.
 *
 * @param init The machine's PID 1 as the host sees it.
 * @returns The part of it that the lease records.
 * @throws {Failure} of the host where the machine has more privileges than its settings allow.
 */
export async function verifyMachine(
  host: Host,
  init: InitProcess,
  spec: MachineSpec,
  tree: BaseTree,
): Promise<Leader> {
  verifyPrivileges(init, spec);
  if (spec.ids !== null) await verifyIds(host, init, spec.ids, tree.path);
  const { idMap: _map, rootOwner: _owner, ...leader } = init;
  return leader;
}
