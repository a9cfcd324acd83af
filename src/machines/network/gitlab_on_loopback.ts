/** Finds out whether GitLab listens on the host's loopback, which a private network does not reach. */

import type { Host } from "../../host/host.ts";
import type { Obstacle } from "./private_network.ts";

/**
 * Returns the obstacle that a server on the host's loopback is to private networks; none for any other server.
 *
 * @param server The server's URL; undefined where there is none.
 */
export async function loopbackObstacles(
  host: Host,
  server: string | undefined,
): Promise<Obstacle[]> {
  if (server === undefined || !URL.canParse(server)) return [];
  const { hostname } = new URL(server);
  if (LOOPBACK.test(hostname)) {
    return [{
      ...FIX,
      reason: `${hostname} is the host's own loopback, where no machine reaches it`,
      severity: "serious",
    }];
  }
  if (!await isLoopbackByHostsFile(host, hostname)) return [];
  return [{
    ...FIX,
    reason:
      `${hostname} is on the host's own loopback by its /etc/hosts, which machines do not see`,
    severity: "minor", // a name server may know a better address
  }];
}

const FIX = {
  topic: "GitLab",
  fix: 'Set network = "host", or give GitLab an address that others can reach',
} as const;

const LOOPBACK = /^(?:localhost|.*\.localhost|127\.[\d.]+|\[::1\])$/;

/** Whether each line of hosts(5) with that name has a loopback address: with another line too, that one is used. */
async function isLoopbackByHostsFile(host: Host, name: string): Promise<boolean> {
  const text = await host.files.read("/etc/hosts").catch(() => null) ?? "";
  const named = text.split("\n").map((line) => line.replace(/#.*/, "").trim().split(/\s+/))
    .filter(([, ...names]) => names.includes(name));
  return named.length > 0 && named.every(([address = ""]) => /^(?:127\.|::1$)/.test(address));
}
