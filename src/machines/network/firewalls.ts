/** Other firewalls on this host: a packet of a machine passes only where the chains of all tables accept it. */

import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { INTERFACE_PREFIX } from "./address.ts";

/** A table with a chain that drops what is forwarded. */
export interface Firewall {
  /** Its family and name in the syntax of nft(8). */
  readonly table: string;
  /** The program that made it, for a message. */
  readonly owner: string;
  /** The command that lets machines through. */
  readonly fix: string;
}

/** All interfaces of machines, in the syntax of iptables(8), ufw(8) and firewalld. */
const LINKS = `${INTERFACE_PREFIX}+`;

/** A zone for machines, and a policy that lets that zone out: firewall-cmd(1). */
const FIREWALLD_FIX = [
  "--new-zone=ci",
  `--zone=ci --add-interface=${LINKS}`,
  "--new-policy=ci-out",
  "--policy=ci-out --add-ingress-zone=ci",
  "--policy=ci-out --add-egress-zone=ANY",
  "--policy=ci-out --set-target=ACCEPT",
].map((words) => `firewall-cmd --permanent ${words} && `).join("") + "firewall-cmd --reload";

const OWNERS: readonly { sign: RegExp; owner: string; fix: string }[] = [
  {
    sign: /chain DOCKER-USER /,
    owner: "Docker",
    fix: `iptables -I DOCKER-USER -i ${LINKS} -j ACCEPT && ` +
      `iptables -I DOCKER-USER -o ${LINKS} -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT`,
  },
  {
    sign: /chain ufw-before-forward /,
    owner: "ufw",
    fix: `ufw route allow in on ${LINKS}`,
  },
  {
    sign: /chain filter_FORWARD /,
    owner: "firewalld",
    fix: FIREWALLD_FIX,
  },
];

/**
 * Returns the tables that may drop the packets of machines: a rule that accepts them is not listed with the chains.
 *
 * @param chains The output of `nft list chains`.
 */
export function droppingTables(chains: string): Firewall[] {
  return chains.split(/^(?=table )/m).flatMap((text) => {
    const table = text.match(/^table (\S+ \S+) \{/)?.[1];
    if (table === undefined || !dropsForwarded(text)) return [];
    const { owner, fix } = OWNERS.find(({ sign }) => sign.test(text)) ?? {
      owner: `table ${table}`,
      fix:
        `a rule in its forward chain: iifname "${INTERFACE_PREFIX}*" accept, and one for what comes back`,
    };
    return [{ table, owner, fix }];
  });
}

/** A policy, or firewalld, which rejects by its last rule. */
function dropsForwarded(table: string): boolean {
  return /hook forward priority [^;]*; policy drop;/.test(table) ||
    (/^table inet firewalld /.test(table) && /hook forward/.test(table));
}

/**
 * Returns the tables without a rule for the interfaces of machines.
 *
 * @throws {Failure} of the host where a table cannot be listed, as while its program loads it again.
 */
export async function blockingFirewalls(
  host: Host,
  candidates: readonly Firewall[],
): Promise<Firewall[]> {
  const found = await Promise.all(candidates.map(async (firewall) => {
    const [family = "", name = ""] = firewall.table.split(" ");
    const argv = ["nft", "list", "table", family, name] as const;
    const { code, stdout, stderr } = await host.processes.capture(argv);
    if (code !== 0 || stdout.trim() === "") {
      throw hostFailure(
        `Cannot list table ${firewall.table}: ${stderr.trim().split("\n")[0] || "no output"}`,
        "Try again, and see nft list ruleset",
      );
    }
    return stdout.includes(`"${INTERFACE_PREFIX}`) ? [] : [firewall];
  }));
  return found.flat();
}
