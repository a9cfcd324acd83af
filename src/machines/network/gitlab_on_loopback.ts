import type { Host } from "../../host/host.ts";
import type { Obstacle } from "./private_network.ts";

/**
 * Whether a server listens where machines with a network of their own cannot reach it.
 *
 * @param host The outside.
 * @param server Its URL; undefined where there is none.
 * @returns The obstacle, or none.
 */
export async function loopbackObstacles(
  host: Host,
  server: string | undefined,
): Promise<Obstacle[]> {
  if (server === undefined || !URL.canParse(server)) return [];
  const { hostname } = new URL(server);
  if (OWN.test(hostname)) {
    return [{
      ...WAY,
      reason: `${hostname} is the host's own loopback, where no machine reaches it`,
      hinders: "jobs",
    }];
  }
  if (!await isNamedOwn(host, hostname)) return [];
  return [{
    ...WAY,
    reason:
      `${hostname} is on the host's own loopback by its /etc/hosts, which machines do not see`,
    hinders: "little", // a name server may know a better address
  }];
}

const WAY = {
  topic: "GitLab",
  fix: 'Set network = "host", or give GitLab an address that others can reach',
} as const;

const OWN = /^(?:localhost|.*\.localhost|127\.[\d.]+|\[::1\])$/;

/** hosts(5) names a host itself by such an address; where another line has a true one, that is found. */
async function isNamedOwn(host: Host, name: string): Promise<boolean> {
  const text = await host.files.read("/etc/hosts").catch(() => null) ?? "";
  const named = text.split("\n").map((line) => line.replace(/#.*/, "").trim().split(/\s+/))
    .filter(([, ...names]) => names.includes(name));
  return named.length > 0 && named.every(([address = ""]) => /^(?:127\.|::1$)/.test(address));
}
