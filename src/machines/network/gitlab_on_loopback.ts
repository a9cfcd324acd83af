/** Finds out whether GitLab listens on the host's loopback, which a private network does not reach. */

import type { Host } from "../../host/host.ts";
import type { Obstacle } from "./private_network.ts";

/**
 * Returns the obstacle that a server on the host's loopback is to private networks; none for any other server.
 * A serious one needs no second look: by its name, the server is the loopback of each computer that asks for it.
 *
 * @param server The server's URL; undefined where there is none.
 * @param extra Names with addresses for machines, `NAME:ADDRESS`.
 */
export async function loopbackObstacles(
  host: Host,
  server: string | undefined,
  extra: readonly string[],
): Promise<Obstacle[]> {
  if (server === undefined || !URL.canParse(server)) return [];
  const { hostname } = new URL(server);
  const addresses = [
    ...extra.filter((one) => one.startsWith(`${hostname}:`))
      .map((one) => one.slice(hostname.length + 1)),
    ...await addressesInHostsFile(host, hostname),
  ];
  if (addresses.some((address) => !/^(?:127\.|::1$)/.test(address))) return [];
  if (LOOPBACK.test(hostname)) {
    return [{
      ...FIX,
      reason: `${hostname} is the host's own loopback, where no machine reaches it`,
      severity: "serious",
    }];
  }
  if (addresses.length === 0) return [];
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

const LOOPBACK = /^(?:localhost|.*\.localhost|127\.[\d.]+|0\.0\.0\.0|\[::1?\])$/;

/** Returns the addresses of a name in hosts(5): where one is not a loopback, machines have that line as well. */
async function addressesInHostsFile(host: Host, name: string): Promise<string[]> {
  const text = await host.files.read("/etc/hosts").catch(() => null) ?? "";
  return text.split("\n").map((line) => line.replace(/#.*/, "").trim().split(/\s+/))
    .filter(([, ...names]) => names.includes(name))
    .map(([address = ""]) => address);
}
