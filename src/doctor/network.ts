/** Checks whether machines can have networks of their own. */

import type { Config } from "../config/settings.ts";
import type { Argv, Host } from "../host/host.ts";
import { INTERFACE_PREFIX, isWithinNetwork } from "../machines/network/address.ts";
import { type NetworkOfJobs, networkOfJobs } from "../machines/network/choose.ts";
import {
  type Obstacle,
  preparePrivateNetwork,
  type PrivateNetworkState,
} from "../machines/network/private_network.ts";
import { broken, type Check, type Finding, ok, weak } from "./finding.ts";

/** Whether nftables, forwarding and name servers allow private networks; changes nothing on the host. */
export const network: Check = async (host, config) => {
  if (config.network === "none") return ok("network", "none, by configuration");
  if (config.network === "host") {
    return weak(
      "network",
      'network is "host"',
      "Remove network from the configuration: " +
        "machines reach the host's loopback and each other",
    );
  }
  const state = await preparePrivateNetwork(host, config, "try");
  const { kind } = networkOfJobs(config.network, state);
  return [
    RESULTS[kind],
    finding(kind, state, "nftables", "NAT, in a table of its own"),
    finding(kind, state, "forwarding", forwarding(state)),
    finding(kind, state, "DNS", nameServers(state)),
    ...namesOfLinks(state),
    ...await rangeConflicts(host, config),
  ];
};

/** What jobs get; the rows that follow give the reasons. */
const RESULTS: Readonly<Record<NetworkOfJobs["kind"], Finding>> = {
  private: ok("network", "a private one for each machine"),
  host: weak(
    "network",
    "the host's, for the reasons below: machines reach its loopback and each other",
    'Fix what the rows below name; network = "private" refuses such jobs instead',
  ),
  refused: broken(
    "network",
    "jobs are refused, for the reasons below",
    "Fix what the rows below name",
  ),
};

function forwarding({ ipv6, forwarded }: PrivateNetworkState): string {
  const families = ipv6 ? "IPv4 and IPv6" : "IPv4";
  return forwarded ? families : `${families}, turned on with the first machine`;
}

function nameServers({ resolvers, upstream }: PrivateNetworkState): string {
  const servers = resolvers.servers.join(", ") || "no name server";
  return resolvers === upstream
    ? servers
    : `${servers}, where systemd-resolved answers as on the host`;
}

/** Names that only one link of the host knows, such as a VPN's. */
function namesOfLinks({ resolvedObstacle: obstacle }: PrivateNetworkState): Finding[] {
  if (obstacle === null) return [];
  const { reason, fix } = obstacle;
  return [weak("names of single links", `not known in machines: ${reason}`, fix)];
}

function finding(
  kind: NetworkOfJobs["kind"],
  { obstacles }: PrivateNetworkState,
  topic: Obstacle["topic"],
  found: string,
): Finding {
  const obstacle = obstacles.find((one) => one.topic === topic);
  if (obstacle === undefined) return ok(topic, found);
  const { reason, fix, severity } = obstacle;
  const isRefused = kind === "refused" && (severity === "fatal" || severity === "failure");
  return (isRefused ? broken : weak)(topic, reason, fix);
}

/**
 * Finds other uses of the machines' address range. A broader route, such as a VPN's to 10.0.0.0/8, is none:
 * the route to a machine has one address only, and the kernel takes the most specific route.
 */
async function rangeConflicts(host: Host, { network_range }: Config): Promise<Finding[]> {
  const uses = [
    ...await matches(host, ["ip", "-4", "route", "show"], ROUTE),
    ...await matches(host, ["ip", "-4", "-oneline", "address", "show"], ADDRESS),
  ];
  const use = uses.find(([line, network = ""]) =>
    !line.includes(` ${INTERFACE_PREFIX}`) && isWithinNetwork(network, network_range)
  );
  if (use === undefined) return [];
  return [weak(
    "network_range",
    `${network_range} is in use here: ${use[0].trim()}`,
    "Set network_range to a range that is not in use here",
  )];
}

/** A route, with its type where it has one, such as blackhole: its destination, and the rest of the line. */
const ROUTE = /^(?:[a-z]+ )?([\d.]+(?:\/\d+)?) .*$/gm;

/** An interface and its address, without the prefix length. */
const ADDRESS = /(?<=^\d+:) \S+ +inet ([\d.]+)\S*/gm;

async function matches(host: Host, argv: Argv, shape: RegExp): Promise<RegExpMatchArray[]> {
  const { stdout } = await host.processes.capture(argv).catch(() => ({ stdout: "" })); // no ip(8)
  return [...stdout.matchAll(shape)];
}
