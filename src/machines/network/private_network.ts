/** Prepares the host for private networks, and finds the obstacles to them on this host. */

import { messageOf } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { blockingFirewalls, droppingTables } from "./firewalls.ts";
import type { NetworkPlan } from "../record/network.ts";
import { readResolvers, type Resolvers } from "./resolv.ts";
import { type Rules, rulesFor, TABLE } from "./rules.ts";

/** A reason against a private network. */
export interface Obstacle {
  /** The subject, for a table. */
  readonly topic: "nftables" | "forwarding" | "DNS" | "GitLab";
  readonly reason: string;
  readonly fix: string;
  /** Fatal: no private network is possible. Serious: most jobs would fail in it. Minor: few jobs would fail. */
  readonly severity: "fatal" | "serious" | "minor";
}

/** What the host offers to private networks. */
export interface PrivateNetworkState {
  readonly obstacles: readonly Obstacle[];
  readonly resolvers: Resolvers;
  /** Whether the host has a default route for IPv6. */
  readonly ipv6: boolean;
  /** Whether the host forwarded packets before this call. */
  readonly forwarded: boolean;
}

/** Whether the host is changed, or only tested. */
export type Mode = "change" | "try";

const FORWARD4 = "/proc/sys/net/ipv4/ip_forward";
const FORWARD6 = "/proc/sys/net/ipv6/conf/all/forwarding"; // not there without IPv6

/**
 * Prints whether each address family is forwarded, default routes of IPv6, missing programs, and chains. Two calls of
 * nft: with both lists in one, it prints the chains of our table only.
 */
export const FACTS_SCRIPT = `
cat ${FORWARD4} ${FORWARD6} 2>/dev/null
ip -6 route show default 2>/dev/null
[ $? -ne 127 ] || echo "lacks ip"
nft list chains 2>/dev/null
[ $? -ne 127 ] || echo "lacks nft"
nft list chain ${TABLE} forward 2>/dev/null
`;

/**
 * Loads the rules. Arguments: an option of nft, whether to turn on forwarding of IPv4, and of IPv6. A host that forwards
 * accepts router advertisements only where accept_ra is 2: the kernel's networking/ip-sysctl.
 */
export const LOAD_RULES_SCRIPT = `
nft \${1:+"$1"} -f - || exit
[ "$2" = no ] || echo 1 >${FORWARD4} || exit
if [ "$3" = yes ]; then
  for file in /proc/sys/net/ipv6/conf/*/accept_ra; do
    [ "$(cat "$file")" != 1 ] || echo 2 >"$file"
  done
  echo 1 >${FORWARD6}
fi
`;

/**
 * Prepares the host for private networks: with mode `change` and no fatal obstacle, the rules are loaded and
 * forwarding is on. What is in place already stays untouched.
 */
export async function preparePrivateNetwork(
  host: Host,
  plan: NetworkPlan,
  mode: Mode,
): Promise<PrivateNetworkState> {
  const [facts, resolvers] = await Promise.all([readFacts(host), readResolvers(host)]);
  const { missing, ipv6, needsForward4, needsForward6 } = facts;
  const obstacles = missing !== undefined ? [missingProgram(missing)] : [
    ...await loadRules(host, rulesFor(plan, resolvers.servers), facts, mode),
    ...await firewallObstacles(host, facts.chains),
  ];
  return {
    obstacles: [...obstacles, ...dnsObstacles(resolvers)],
    resolvers,
    ipv6,
    forwarded: !needsForward4 && !needsForward6,
  };
}

/** The state of the host's network. */
interface Facts {
  /** A program that is not installed. */
  readonly missing: string | undefined;
  readonly ipv6: boolean;
  /** Whether forwarding of an address family has to be turned on. */
  readonly needsForward4: boolean;
  readonly needsForward6: boolean;
  /** All chains, and the rules of our chain `forward`, as nft(8) prints them. */
  readonly chains: string;
}

async function readFacts(host: Host): Promise<Facts> {
  const { stdout } = await host.processes.capture(["sh", "-c", FACTS_SCRIPT]);
  const [forward4, forward6] = stdout.split("\n");
  const ipv6 = /^default /m.test(stdout);
  return {
    missing: stdout.match(/^lacks (.*)$/m)?.[1],
    ipv6,
    needsForward4: forward4 === "0",
    needsForward6: ipv6 && forward6 === "0",
    chains: stdout,
  };
}

function missingProgram(program: string): Obstacle {
  const pack = program === "nft" ? "nftables" : "iproute2";
  return {
    topic: "nftables",
    reason: `this host has no ${program}`,
    fix: `Install the package ${pack}`,
    severity: "fatal",
  };
}

async function loadRules(
  host: Host,
  { text, mark }: Rules,
  { needsForward4, needsForward6, chains }: Facts,
  mode: Mode,
): Promise<Obstacle[]> {
  if (chains.includes(`"${mark}"`) && !needsForward4 && !needsForward6) return [];
  const forwards = [needsForward4, needsForward6].map((needs) =>
    needs && mode === "change" ? "yes" : "no"
  );
  const words = [mode === "change" ? "" : "--check", ...forwards];
  const { code, stderr } = await host.processes.capture([
    "sh",
    "-c",
    LOAD_RULES_SCRIPT,
    "sh",
    ...words,
  ], {
    stdin: text,
  });
  if (code === 0) return [];
  return [{
    topic: "nftables",
    reason: `the rules of nftables cannot be loaded: ${stderr.trim().split("\n")[0]}`,
    fix: "Use a kernel with nf_tables, NAT and fib, and allow this host to change its rules",
    severity: "fatal",
  }];
}

async function firewallObstacles(host: Host, chains: string): Promise<Obstacle[]> {
  try {
    const firewalls = await blockingFirewalls(host, droppingTables(chains));
    return firewalls.map(({ owner, fix }) => ({
      topic: "forwarding",
      reason: `${owner} drops what machines send`,
      fix: `Let it pass: ${fix}`,
      severity: "serious",
    }));
  } catch (error) {
    return [{
      topic: "forwarding",
      reason: messageOf(error),
      fix: "See nft list ruleset",
      severity: "serious",
    }];
  }
}

function dnsObstacles({ onlyStubs, hasFile }: Resolvers): Obstacle[] {
  if (onlyStubs) {
    return [{
      topic: "DNS",
      reason:
        "the host's only name server is on its loopback, and its upstream servers are not known",
      fix: "Name one in /etc/resolv.conf that machines can reach",
      severity: "serious",
    }];
  }
  if (hasFile) return [];
  return [{
    topic: "DNS",
    reason: "the host has no /etc/resolv.conf, so that machines have none either",
    fix: "Make one, or link it to /run/systemd/resolve/resolv.conf where systemd-resolved runs",
    severity: "minor", // the host's network would be no better
  }];
}
