/** Whether machines can have networks of their own. */

import type { Config } from "../config/settings.ts";
import type { Host } from "../host/host.ts";
import { overlap } from "../machines/network/address.ts";
import { type Obstacle, type Ready, readyNetwork } from "../machines/network/ready.ts";
import { broken, type Check, type Finding, ok, weak } from "./finding.ts";

/** nftables, forwarding and name servers; nothing of the host is changed. */
export const network: Check = async (host, config) => {
  if (config.network === "none") return ok("network", "none, by configuration");
  if (config.network === "host") {
    return weak(
      "network",
      'network is "host"',
      "Machines see all that the host sees, its loopback and each other: leave it out",
    );
  }
  const ready = await readyNetwork(host, config, "try");
  return [
    finding(config, ready, "nftables", "NAT, and a table of our own"),
    finding(config, ready, "forwarding", forwarding(ready)),
    finding(config, ready, "DNS", ready.resolvers.servers.join(", ") || "no name server"),
    ...await foreignRoutes(host, config),
  ];
};

function forwarding({ ipv6, forwarded }: Ready): string {
  return `${ipv6 ? "IPv4 and IPv6" : "IPv4"}${
    forwarded ? "" : ", turned on with the first machine"
  }`;
}

function finding(
  { network }: Config,
  { obstacles }: Ready,
  topic: Obstacle["topic"],
  found: string,
): Finding {
  const obstacle = obstacles.find((one) => one.topic === topic);
  if (obstacle === undefined) return ok(topic, found);
  const { reason, fix, hinders } = obstacle;
  return network === "private" && hinders === "all" ? broken(topic, reason, fix) : weak(
    topic,
    reason,
    network === "auto" && hinders !== "little" ? `${fix}. Machines have the host's network` : fix,
  );
}

/** Routes of others into the range that machines have addresses from. */
async function foreignRoutes(host: Host, { network_range }: Config): Promise<Finding[]> {
  const { stdout } = await host.processes.capture(["ip", "-4", "route", "show"]).catch(() => NONE);
  const route = stdout.split("\n").find((line) =>
    /^[\d.]+(?:\/\d+)? /.test(line) && !line.includes("dev nr-") &&
    overlap(line.split(" ")[0]!, network_range)
  );
  if (route === undefined) return [];
  return [weak(
    "network_range",
    `${network_range} is in use here: ${route.trim()}`,
    "Set network_range to one that nobody here needs",
  )];
}

const NONE = { stdout: "" };
