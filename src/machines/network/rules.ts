/** The nftables table of this program. It matches interfaces by name, so that no rule is made for a single machine. */

import { INTERFACE_PREFIX, ipv4Addresses, IPV6_RANGE } from "./address.ts";
import type { NetworkPlan } from "../record/network.ts";

/** Its family and name. */
export const TABLE = "inet nspawn-runner";

const ANY = `"${INTERFACE_PREFIX}*"`;

/** Metadata services of clouds, which hand out credentials of the host. */
export const METADATA = [
  "169.254.0.0/16",
  "100.100.100.200",
  "168.63.129.16",
  "192.0.0.192",
  "fd00:ec2::254",
  "fd20:ce::254",
];

/** Ports of mDNS and LLMNR: the host asks its neighbours for names there, and machines must not answer. */
const NAME_PORTS = "{ 5353, 5355 }";

/** The table as text. */
export interface Rules {
  /** The input of nft(8). */
  readonly text: string;
  /** The comment of the last rule of chain `forward`: it holds a hash of the text. */
  readonly mark: string;
}

/**
 * Returns the table as one transaction of nft(8) that replaces the table that was there.
 *
 * @param servers Name servers: machines may ask them at any address.
 */
export function rulesFor(plan: NetworkPlan, servers: readonly string[]): Rules {
  const { gateway } = ipv4Addresses(plan.network_range, 0);
  const sets = set("dns", servers) + set("allowed", plan.network_allow) +
    set("denied", [...METADATA, ...plan.network_deny]);
  const rules = (mark: string) =>
    `table ${TABLE}\ndelete table ${TABLE}\ntable ${TABLE} {${sets}
${servers.includes(gateway) ? queryLimit(gateway) : ""}${chains(plan.network_range, mark)}}\n`;
  const mark = `rules ${digest(rules(""))}`;
  return { text: rules(mark), mark };
}

/**
 * Returns whether the table that is loaded lets machines ask the host's own name server.
 *
 * @param chains The output of `nft list chains`.
 */
export function allowsQueriesToHost(chains: string): boolean {
  return chains.split(/^(?=table )/m).some((table) =>
    table.startsWith(`table ${TABLE} {`) && /^\tchain dns_limit \{/m.test(table)
  );
}

/** Keeps each machine from asking the host's own name server so often that it answers nobody else. */
function queryLimit(gateway: string): string {
  return `  set dns_clients {
    type ipv4_addr; size 65535; flags dynamic;
  }
  chain dns_limit {
    type filter hook input priority -11; policy accept;
    iifname ${ANY} ip daddr ${gateway} meta l4proto { tcp, udp } th dport 53 add @dns_clients { ip saddr limit rate over 500/second burst 1000 packets } drop
  }
`;
}

function chains(range: string, mark: string): string {
  const { gateway } = ipv4Addresses(range, 0);
  return `  chain prerouting {
    type filter hook prerouting priority -300; policy accept;
    iifname ${ANY} jump arriving
  }
  # No machine uses the address of another one or of a loopback, and none changes the routes of the host.
  chain arriving {
    ip saddr 127.0.0.0/8 drop
    ip daddr 127.0.0.0/8 drop
    ip6 saddr ::1 drop
    ip6 daddr ::1 drop
    ip6 hoplimit 255 icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
    icmpv6 type { nd-router-advert, nd-redirect } drop
    icmp type redirect drop
    fib saddr . iif oif missing drop
  }
  chain input {
    type filter hook input priority -10; policy accept;
    iifname ${ANY} jump names
    iifname ${ANY} jump leaving
    iifname != ${ANY} iifname != "lo" ip daddr ${gateway} drop
  }
  # No machine answers when the host asks its neighbours for a name, and the host does not ask machines.
  chain names {
    meta l4proto igmp drop
    meta l4proto { tcp, udp } th sport ${NAME_PORTS} drop
    meta l4proto { tcp, udp } th dport ${NAME_PORTS} drop
  }
  # Of the host's users only root calls machines; all may answer them.
  chain output {
    type filter hook output priority -10; policy accept;
    oifname ${ANY} jump names
    oifname ${ANY} ct state { established, related } accept
    oifname ${ANY} meta skuid != 0 reject with icmpx type admin-prohibited
  }
  # No machine reaches another one, and none is reached from outside.
  chain forward {
    type filter hook forward priority -10; policy accept;
    iifname ${ANY} icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } drop
    iifname ${ANY} oifname ${ANY} reject with icmpx type admin-prohibited
    iifname ${ANY} tcp flags syn tcp option maxseg size set rt mtu
    iifname ${ANY} jump leaving
    oifname ${ANY} ct state { established, related } accept
    oifname ${ANY} drop comment "${mark}"
  }
  chain leaving {
    meta l4proto { tcp, udp } th dport 53 ip daddr @dns4 accept
    meta l4proto { tcp, udp } th dport 53 ip6 daddr @dns6 accept
    ip daddr @allowed4 accept
    ip6 daddr @allowed6 accept
    ip daddr @denied4 reject with icmpx type admin-prohibited
    ip6 daddr @denied6 reject with icmpx type admin-prohibited
  }
  chain postrouting {
    type nat hook postrouting priority 100; policy accept;
    ip saddr ${range} oifname != ${ANY} masquerade
    ip6 saddr ${IPV6_RANGE} oifname != ${ANY} masquerade
  }
`;
}

/** Two sets, one per family. nft refuses an empty list of elements. */
function set(name: string, members: readonly string[]): string {
  return [["4", "ipv4_addr"], ["6", "ipv6_addr"]].map(([family, type]) => {
    const own = members.filter((member) => member.includes(":") === (family === "6"));
    const elements = own.length === 0 ? "" : `\n    elements = { ${own.join(", ")} }`;
    return `
  set ${name}${family} {
    type ${type}; flags interval; auto-merge;${elements}
  }`;
  }).join("");
}

/** FNV-1a: enough to notice a change, since nobody gains by a collision. */
function digest(text: string): string {
  let hash = 0x811c9dc5;
  for (const character of text) {
    hash = Math.imul(hash ^ character.codePointAt(0)!, 0x01000193) >>> 0;
  }
  return hash.toString(16);
}
