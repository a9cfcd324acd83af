/** Other firewalls on this host: a packet of a machine passes only where the chains of all tables accept it. */

import { hostFailure } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { INTERFACE_PREFIX } from "./address.ts";
import { TABLE } from "./rules.ts";
import {
  baseChains,
  type Call,
  chainsThatMayDrop,
  droppingChains,
  namesMachines,
} from "./ruleset.ts";

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
  return tablesIn(chains).flatMap(({ table, text }) => {
    if (!dropsForwarded(text)) return [];
    const { owner, fix } = OWNERS.find(({ sign }) => sign.test(text)) ?? {
      owner: `table ${table}`,
      fix:
        `a rule in its forward chain: iifname "${INTERFACE_PREFIX}*" accept, and one for what comes back`,
    };
    return [{ table, owner, fix }];
  });
}

/** Returns the tables in the output of `nft list chains`. */
function tablesIn(chains: string): { table: string; text: string }[] {
  return chains.split(/^(?=table )/m).flatMap((text) => {
    const table = text.match(/^table (\S+ \S+) \{/)?.[1];
    return table === undefined ? [] : [{ table, text }];
  });
}

/** A policy, or firewalld, which rejects by its last rule. */
function dropsForwarded(table: string): boolean {
  return /hook forward priority [^;]*; policy drop;/.test(table) ||
    (/^table inet firewalld /.test(table) && /hook forward/.test(table));
}

/** The tables of all firewalls of the host at one moment. */
export interface Tables {
  /** The output of `nft list chains`. */
  readonly chains: string;
  /**
   * Returns a table as nft(8) lists it, without the elements of named sets, once for all callers.
   *
   * @throws {Failure} of the host where it cannot be listed, as while its program loads it again.
   */
  readonly list: (table: string) => Promise<string>;
}

/**
 * Returns the tables of the host.
 *
 * @param chains The output of `nft list chains`.
 */
export function tablesOf(host: Host, chains: string): Tables {
  const listed = new Map<string, Promise<string>>();
  return {
    chains,
    list(table) {
      const list = listed.get(table) ?? listTable(host, table);
      listed.set(table, list);
      return list;
    },
  };
}

/**
 * Returns the tables without a rule for the interfaces of machines.
 *
 * @throws {Failure} of the host where a table cannot be listed, as while its program loads it again.
 */
export async function blockingFirewalls(
  tables: Tables,
  candidates: readonly Firewall[],
): Promise<Firewall[]> {
  const found = await Promise.all(candidates.map(async (firewall) => {
    const text = await tables.list(firewall.table);
    return namesMachines(text, "forward") ? [] : [firewall];
  }));
  return found.flat();
}

/** A chain that drops what machines send to the host itself. */
export interface InputFirewall {
  /** The chain and its table, with the program that made them where it is known. */
  readonly chain: string;
  /** The command that lets the call through. */
  readonly fix: string;
}

/**
 * Returns the chains that drop one of these calls of machines to the host for sure. Each table with such a chain is
 * listed: a rule may end a chain with another policy.
 *
 * @throws {Failure} of the host where a table cannot be listed.
 */
export function inputFirewalls(tables: Tables, calls: readonly Call[]): Promise<InputFirewall[]> {
  return firewallsAtInput(tables, calls, droppingChains);
}

/**
 * Returns the chains that drop one of these calls, or may: conditions that are not known here decide.
 *
 * @throws {Failure} of the host where a table cannot be listed.
 */
export function possibleInputFirewalls(
  tables: Tables,
  calls: readonly Call[],
): Promise<InputFirewall[]> {
  return firewallsAtInput(tables, calls, chainsThatMayDrop);
}

async function firewallsAtInput(
  tables: Tables,
  calls: readonly Call[],
  chainsOf: (table: string, call: Call) => readonly string[],
): Promise<InputFirewall[]> {
  const found = (await inputTables(tables)).map(({ table, text }) =>
    calls.flatMap((call) =>
      chainsOf(text, call).map((chain) => inputFirewall(table, chain, text, call))
    )
  );
  return found.flat();
}

/** Returns the tables of others with a chain for packets to the host, as nft(8) lists them. */
async function inputTables({ chains, list }: Tables): Promise<{ table: string; text: string }[]> {
  const atInput = tablesIn(chains).filter(({ table, text }) =>
    /^(?:ip|inet) /.test(table) && table !== TABLE && baseChains(text, "input").length > 0
  );
  return await Promise.all(atInput.map(async ({ table }) => ({ table, text: await list(table) })));
}

function inputFirewall(
  table: string,
  chain: string,
  text: string,
  { protocol, port }: Call,
): InputFirewall {
  const named = `chain ${chain} of table ${table}`;
  if (/chain ufw-before-input /.test(text)) {
    const fix = `ufw allow in on ${LINKS} to any port ${port} proto ${protocol}`;
    return { chain: `${named} (ufw)`, fix };
  }
  if (table === "inet firewalld") {
    const add = `firewall-cmd --permanent --zone=ci --add-port=${port}/${protocol}`;
    return { chain: `${named} (firewalld)`, fix: `${add} && firewall-cmd --reload` };
  }
  const fix = table === "ip filter" && chain === "INPUT"
    ? `iptables -I INPUT -i ${LINKS} -p ${protocol} --dport ${port} -j ACCEPT`
    : `nft insert rule ${table} ${chain} iifname '"${INTERFACE_PREFIX}*"' ${protocol} dport ${port} accept`;
  return { chain: named, fix };
}

/**
 * Leaves out the elements of named sets: a block list may have 100,000, for which nft(8) takes a second. Elements of a
 * map of verdicts are needed, since they name interfaces.
 */
async function listTable(host: Host, table: string): Promise<string> {
  const text = await list(host, table, ["--terse"]);
  return text.includes(" vmap @") ? await list(host, table, []) : text;
}

async function list(host: Host, table: string, options: readonly string[]): Promise<string> {
  const argv = ["nft", ...options, "list", "table", ...table.split(" ")] as const;
  const { code, stdout, stderr } = await host.processes.capture(argv);
  if (code === 0 && stdout.trim() !== "") return stdout;
  throw hostFailure(
    `Cannot list table ${table}: ${stderr.trim().split("\n")[0] || "no output"}`,
    "Try again, and see nft list ruleset",
  );
}
