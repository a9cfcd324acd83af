/** Ports of services in the host's network, which all machines there share. */

import { hostFailure, refused } from "../failure.ts";
import type { Host } from "../host/host.ts";
import { readKernel } from "../linux/proc.ts";
import { serviceTitle } from "../machines/services/title.ts";
import type { PlannedService } from "./service_plan.ts";

/**
 * Refuses services in the host's network of which two, or one and a program of the host, have the same port: a job would
 * reach the wrong one.
 *
 * @throws {Failure} that names both.
 */
export async function refuseTakenPorts(
  host: Host,
  services: readonly PlannedService[],
): Promise<void> {
  const owners = new Map<number, string>();
  for (const { service, aliases, ports } of services) {
    const name = serviceTitle(service.name, aliases);
    for (const port of ports) {
      const other = owners.get(port);
      if (other !== undefined) {
        throw refused(
          `Cannot start services ${other} and ${name}: both use port ${port} of the host's network`,
          `Give one of them another port, or the job a network of its own: network = "private"`,
        );
      }
      owners.set(port, name);
    }
  }
  const taken = await listeningPorts(host);
  for (const [port, name] of owners) {
    if (!taken.has(port)) continue;
    throw hostFailure(
      `Cannot start service ${name}: its port ${port} of the host's network is used by another program of the host`,
      `Find it: ss -tlnp "sport = ${port}"`,
    );
  }
}

/** The state LISTEN in /proc/net/tcp: proc(5). */
const LISTEN = "0A";

async function listeningPorts(host: Host): Promise<Set<number>> {
  const tables = await readKernel(host, "/proc/net/tcp", "/proc/net/tcp6");
  const ports = new Set<number>();
  for (const line of tables.split("\n")) {
    const [, local = "", , state] = line.trim().split(/\s+/);
    if (state === LISTEN) ports.add(parseInt(local.split(":")[1] ?? "", 16));
  }
  return ports;
}
