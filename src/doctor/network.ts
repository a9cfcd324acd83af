/** Whether machines can have networks of their own. */

import type { Config } from "../config/settings.ts";
import type { Argv, Host } from "../host/host.ts";
import { isWithin, PREFIX } from "../machines/network/address.ts";
import { type Obstacle, type Ready, readyNetwork } from "../machines/network/private_network.ts";
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
    ...await foreignUse(host, config),
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

/**
 * What others have in the range that machines have addresses from. A broader route is in nobody's way, a VPN's
 * to 10.0.0.0/8 for one: those to machines lead to one address each, and the most specific wins.
 */
async function foreignUse(host: Host, { network_range }: Config): Promise<Finding[]> {
  const uses = [
    ...await matches(host, ["ip", "-4", "route", "show"], ROUTE),
    ...await matches(host, ["ip", "-4", "-oneline", "address", "show"], ADDRESS),
  ];
  const use = uses.find(([line, network = ""]) =>
    !line.includes(` ${PREFIX}`) && isWithin(network, network_range)
  );
  if (use === undefined) return [];
  return [weak(
    "network_range",
    `${network_range} is in use here: ${use[0].trim()}`,
    "Set network_range to one that nobody here needs",
  )];
}

/** A route, perhaps of a type like blackhole, with where it leads. */
const ROUTE = /^(?:[a-z]+ )?([\d.]+(?:\/\d+)?) .*$/gm;

/** An address, of whatever network, with its interface before it. */
const ADDRESS = /(?<=^\d+:) \S+ +inet ([\d.]+)\S*/gm;

async function matches(host: Host, argv: Argv, shape: RegExp): Promise<RegExpMatchArray[]> {
  const { stdout } = await host.processes.capture(argv).catch(() => NONE);
  return [...stdout.matchAll(shape)];
}

const NONE = { stdout: "" };
