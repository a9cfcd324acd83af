/** Whether this host can give machines networks of their own, and what it takes. */

import { messageOf } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { droppingTables, inTheWay } from "./firewalls.ts";
import type { NetworkPlan } from "./network.ts";
import { readResolvers, type Resolvers } from "./resolv.ts";
import { rulesFor } from "./rules.ts";

/** Why a private network would be none, or less than jobs need. */
export interface Obstacle {
  readonly reason: string;
  readonly fix: string;
  /** Whether there is no private network at all; else packets may not get far. */
  readonly isFatal: boolean;
}

/** What a host can do. */
export interface Ready {
  readonly obstacles: readonly Obstacle[];
  readonly resolvers: Resolvers;
  /** Whether the host itself goes out by IPv6. */
  readonly ipv6: boolean;
}

/** Prints facts, a word before each; what nft says of chains comes last. */
const LOOK = `
command -v ip >/dev/null || echo "lacks ip"
command -v nft >/dev/null || echo "lacks nft"
echo "forward4 $(cat /proc/sys/net/ipv4/ip_forward)"
[ ! -e /proc/sys/net/ipv6 ] || echo "forward6 $(cat /proc/sys/net/ipv6/conf/all/forwarding)"
[ -z "$(ip -6 route show default 2>/dev/null)" ] || echo "ipv6"
nft list chains 2>&1
`;

/**
 * Loads the rules. Words: whether to forward, by each family. A host that turns to forward takes no more routes
 * from its routers, but where accept_ra is 2: Documentation/networking/ip-sysctl of the kernel.
 */
const LOAD = `
nft -f - || exit
[ "$1" = no ] || echo 1 >/proc/sys/net/ipv4/ip_forward || exit
if [ "$2" = yes ]; then
  for file in /proc/sys/net/ipv6/conf/*/accept_ra; do
    [ "$(cat "$file")" != 1 ] || echo 2 >"$file"
  done
  echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
fi
`;

/**
 * Makes the host ready for private networks: its rules and forwarding are on when this returns, unless an
 * obstacle says why not. Nothing is done again that is there.
 *
 * @param host The outside.
 * @param plan What private networks have in common.
 * @returns What the host can do.
 */
export async function readyNetwork(host: Host, plan: NetworkPlan): Promise<Ready> {
  const [{ stdout }, resolvers] = await Promise.all([
    host.processes.capture(["sh", "-c", LOOK]),
    readResolvers(host),
  ]);
  const ipv6 = /^ipv6$/m.test(stdout);
  const [, missing] = stdout.match(/^lacks (.*)$/m) ?? [];
  const obstacles = missing !== undefined
    ? [lacking(missing)]
    : [...await load(host, plan, resolvers, stdout, ipv6), ...await blocking(host, stdout)];
  return { obstacles: [...obstacles, ...unheard(resolvers)], resolvers, ipv6 };
}

function lacking(program: string): Obstacle {
  const pack = program === "nft" ? "nftables" : "iproute2";
  return {
    reason: `this host has no ${program}`,
    fix: `Install the package ${pack}`,
    isFatal: true,
  };
}

async function load(
  host: Host,
  plan: NetworkPlan,
  { servers }: Resolvers,
  facts: string,
  ipv6: boolean,
): Promise<Obstacle[]> {
  const { text, mark } = rulesFor(plan, servers);
  const forward4 = /^forward4 0$/m.test(facts);
  const forward6 = ipv6 && /^forward6 0$/m.test(facts);
  if (facts.includes(`chain ${mark} {`) && !forward4 && !forward6) return [];
  const words = [forward4, forward6].map((wanted) => wanted ? "yes" : "no");
  const { code, stderr } = await host.processes.capture(["sh", "-c", LOAD, "sh", ...words], {
    stdin: text,
  });
  if (code === 0) return [];
  return [{
    reason: `the rules of nftables cannot be loaded: ${stderr.trim().split("\n")[0]}`,
    fix: "A kernel with nf_tables, NAT and fib, and the right to change it",
    isFatal: true,
  }];
}

async function blocking(host: Host, facts: string): Promise<Obstacle[]> {
  try {
    const firewalls = await inTheWay(host, droppingTables(facts));
    return firewalls.map(({ owner, fix }) => ({
      reason: `${owner} drops what machines send`,
      fix: `Let it pass: ${fix}`,
      isFatal: false,
    }));
  } catch (error) {
    return [{ reason: messageOf(error), fix: "nft list ruleset says more", isFatal: false }];
  }
}

function unheard({ onlyStubs }: Resolvers): Obstacle[] {
  return onlyStubs
    ? [{
      reason: "the host's name server is on its own loopback, and says nowhere whom it asks",
      fix: "Name one in /etc/resolv.conf that machines can reach",
      isFatal: false,
    }]
    : [];
}
