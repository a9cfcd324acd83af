/** Describes what became of the services of a job. */

import { withoutSecrets } from "../gitlab/secrets.ts";
import type { Host } from "../host/host.ts";
import { type Lease, readLease } from "../machines/record/lease.ts";
import type { MachineName } from "../machines/record/name.ts";
import { machinePaths } from "../machines/record/paths.ts";
import { readServiceState } from "../machines/services/state.ts";
import type { ServiceRecord } from "./record.ts";

/** Returns what became of the services of a job. */
export async function describeServices(host: Host, lease: Lease): Promise<ServiceRecord[]> {
  const services: ServiceRecord[] = [];
  for (const { machine, aliases } of lease.services) {
    const image = await imageOf(host, lease, machine);
    if (image === null) continue;
    const { code, failure: text } = await readServiceState(
      host,
      machinePaths(lease.store, machine),
    );
    // It may quote the service's command.
    const failure = text === null ? null : await withoutSecrets(host, text);
    services.push({ image, aliases, code, failure });
  }
  return services;
}

async function imageOf(
  host: Host,
  { store }: Lease,
  machine: MachineName,
): Promise<string | null> {
  const lease = await readLease(host, store, machine).catch(() => null);
  return lease?.service?.image ?? null;
}
