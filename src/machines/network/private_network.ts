/** Whether this host can give machines networks of their own, and what it takes. */

import { messageOf } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { blockingFirewalls, droppingTables } from "./firewalls.ts";
import type { NetworkPlan } from "../record/network.ts";
import { readResolvers, type Resolvers } from "./resolv.ts";
import { type Rules, rulesFor, TABLE } from "./rules.ts";

/** Why a private network would be none, or less than jobs need. */
export interface Obstacle {
  /** What it is about, for a table. */
  readonly topic: "nftables" | "forwarding" | "DNS" | "GitLab";
  readonly reason: string;
  readonly fix: string;
  /** Whether there is no private network at all, or none that jobs get far with, or one that lacks a part. */
  readonly hinders: "all" | "jobs" | "little";
}

/** What a host can do. */
export interface PrivateNetworkState {
  readonly obstacles: readonly Obstacle[];
  readonly resolvers: Resolvers;
  /** Whether the host itself goes out by IPv6. */
  readonly ipv6: boolean;
  /** Whether it forwarded before. */
  readonly forwarded: boolean;
}

/** Whether the host is changed where that is wanted, or only asked whether it could be. */
export type Mode = "change" | "try";

const FORWARD4 = "/proc/sys/net/ipv4/ip_forward";
const FORWARD6 = "/proc/sys/net/ipv6/conf/all/forwarding"; // not there without IPv6

/**
 * Prints what is forwarded, a line each; then ways out by IPv6, programs that are not there, and what nft says. In
 * one call nft would show the chains of our table alone.
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
 * Loads the rules. Words: nft's options, whether to forward, by each family. A host that turns to forward takes no more routes
 * from its routers, but where accept_ra is 2: Documentation/networking/ip-sysctl of the kernel.
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
 * Makes the host ready for private networks: its rules and forwarding are on when this returns, unless an
 * obstacle says why not. Nothing is done again that is there.
 *
 * @param host The outside.
 * @param plan What private networks have in common.
 * @param earnest Whether anything is changed.
 * @returns What the host can do.
 */
export async function preparePrivateNetwork(
  host: Host,
  plan: NetworkPlan,
  earnest: Mode,
): Promise<PrivateNetworkState> {
  const [facts, resolvers] = await Promise.all([findFacts(host), readResolvers(host)]);
  const { missing, ipv6, lacks4, lacks6 } = facts;
  const obstacles = missing !== undefined ? [lacking(missing)] : [
    ...await load(host, rulesFor(plan, resolvers.servers), facts, earnest),
    ...await blocking(host, facts.chains),
  ];
  return {
    obstacles: [...obstacles, ...unheard(resolvers)],
    resolvers,
    ipv6,
    forwarded: !lacks4 && !lacks6,
  };
}

/** What a host says of itself. */
interface Facts {
  /** A program that is not there. */
  readonly missing: string | undefined;
  readonly ipv6: boolean;
  /** Whether it is to forward a family, and does not yet. */
  readonly lacks4: boolean;
  readonly lacks6: boolean;
  /** What nft says of all chains, and of the rules in one of ours. */
  readonly chains: string;
}

async function findFacts(host: Host): Promise<Facts> {
  const { stdout } = await host.processes.capture(["sh", "-c", FACTS_SCRIPT]);
  const [forward4, forward6] = stdout.split("\n");
  const ipv6 = /^default /m.test(stdout);
  return {
    missing: stdout.match(/^lacks (.*)$/m)?.[1],
    ipv6,
    lacks4: forward4 === "0",
    lacks6: ipv6 && forward6 === "0",
    chains: stdout,
  };
}

function lacking(program: string): Obstacle {
  const pack = program === "nft" ? "nftables" : "iproute2";
  return {
    topic: "nftables",
    reason: `this host has no ${program}`,
    fix: `Install the package ${pack}`,
    hinders: "all",
  };
}

async function load(
  host: Host,
  { text, mark }: Rules,
  { lacks4, lacks6, chains }: Facts,
  earnest: Mode,
): Promise<Obstacle[]> {
  if (chains.includes(`"${mark}"`) && !lacks4 && !lacks6) return [];
  const forwards = [lacks4, lacks6].map((lacks) => lacks && earnest === "change" ? "yes" : "no");
  const words = [earnest === "change" ? "" : "--check", ...forwards];
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
    fix: "A kernel with nf_tables, NAT and fib, and the right to change it",
    hinders: "all",
  }];
}

async function blocking(host: Host, chains: string): Promise<Obstacle[]> {
  try {
    const firewalls = await blockingFirewalls(host, droppingTables(chains));
    return firewalls.map(({ owner, fix }) => ({
      topic: "forwarding",
      reason: `${owner} drops what machines send`,
      fix: `Let it pass: ${fix}`,
      hinders: "jobs",
    }));
  } catch (error) {
    return [{
      topic: "forwarding",
      reason: messageOf(error),
      fix: "nft list ruleset says more",
      hinders: "jobs",
    }];
  }
}

function unheard({ onlyStubs, hasFile }: Resolvers): Obstacle[] {
  if (onlyStubs) {
    return [{
      topic: "DNS",
      reason: "the host's name server is on its own loopback, and says nowhere whom it asks",
      fix: "Name one in /etc/resolv.conf that machines can reach",
      hinders: "jobs",
    }];
  }
  if (hasFile) return [];
  return [{
    topic: "DNS",
    reason: "the host has no /etc/resolv.conf, so that machines have none either",
    fix: "Make one, or link it to /run/systemd/resolve/resolv.conf where systemd-resolved runs",
    hinders: "little", // the host's network would be no better
  }];
}
