/** Prepares the host for private networks, and finds the obstacles to them on this host. */

import { join } from "@std/path/posix";
import { hostFailure, messageOf } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { BOOT_ID } from "../../linux/proc.ts";
import { RUNTIME_FOLDER } from "../../runtime_folder.ts";
import { blockingFirewalls, droppingTables, type Tables, tablesOf } from "./firewalls.ts";
import { ipv4Addresses } from "./address.ts";
import type { NetworkPlan } from "../record/network.ts";
import {
  chooseNameServers,
  type NameServers,
  RESOLVED_LINES,
  type ResolvedObstacle,
} from "./resolved.ts";
import { readResolvers, type Resolvers } from "./resolv.ts";
import { allowsQueriesToHost, type Rules, rulesFor, TABLE } from "./rules.ts";

/** A reason against a private network. */
export interface Obstacle {
  /** The subject, for a table. */
  readonly topic: "nftables" | "forwarding" | "DNS" | "GitLab";
  readonly reason: string;
  readonly fix: string;
  /**
   * Fatal: this host cannot have private networks. Serious: most jobs would fail in one. Minor: few jobs would fail.
   * Failure: this attempt failed, which proves nothing about the host.
   */
  readonly severity: "fatal" | "serious" | "minor" | "failure";
}

/** What the host offers to private networks. */
export interface PrivateNetworkState {
  readonly obstacles: readonly Obstacle[];
  readonly resolvers: Resolvers;
  /** The name servers of the host's own name server, where that one answers machines; else the same. */
  readonly upstream: Resolvers;
  /** Why the host's systemd-resolved does not answer machines; null where it does, or is not the host's name server. */
  readonly resolvedObstacle: ResolvedObstacle | null;
  /** Whether the host has a default route for IPv6. */
  readonly ipv6: boolean;
  /** Whether the host forwarded packets before this call. */
  readonly forwarded: boolean;
  /** The id of this boot: random(4). */
  readonly boot: string;
  /** What {@linkcode rememberVerdict} recorded in this boot; null for nothing. */
  readonly verdict: string | null;
  /** The tables of the host's firewalls. */
  readonly tables: Tables;
}

/** Whether the host is changed, or only tested. */
export type Mode = "change" | "try";

const FORWARD4 = "/proc/sys/net/ipv4/ip_forward";
const FORWARD6 = "/proc/sys/net/ipv6/conf/all/forwarding"; // not there without IPv6
const VERDICT_FILE = join(RUNTIME_FOLDER, ".network");

/**
 * Prints whether each address family is forwarded, the boot's id, the recorded verdict, the rules of our chain `forward`,
 * default routes of IPv6, missing programs, why nft(8) failed, and all chains. Two calls of nft, side by side: with both lists
 * in one, it prints the chains of our table only. Any exit code but 0 means that the script itself could not run, such as
 * where no process can be started.
 */
export const FACTS_SCRIPT = `
# To a shell, which reads byte by byte, these files end after the first byte.
cat ${FORWARD4} ${FORWARD6} 2>/dev/null
read -r boot <${BOOT_ID} && echo "boot $boot"
[ ! -e ${VERDICT_FILE} ] || { read -r verdict <${VERDICT_FILE} && echo "verdict $verdict"; }
${RESOLVED_LINES}
nft list chain ${TABLE} forward 2>/dev/null &
chains=$(nft list chains 2>&1)
code=$?
wait
ip -6 route show default 2>/dev/null
[ $? -ne 127 ] || echo "lacks ip"
case $code in
  0) printf '%s\\n' "$chains" ;;
  127) echo "lacks nft" ;;
  *) printf 'nft failed: %s\\n' "$chains" ;;
esac
exit 0
`;

/**
 * Loads the rules. Arguments: an option of nft, whether to turn on forwarding of IPv4, and of IPv6. A link that forwards
 * accepts router advertisements only where accept_ra is 2: the kernel's networking/ip-sysctl. Links that accept them,
 * and `default` for those that appear later, go on to do so; no link that forwards already begins to.
 */
export const LOAD_RULES_SCRIPT = `
nft \${1:+"$1"} -f - || exit
[ "$2" = no ] || echo 1 >${FORWARD4} || exit
if [ "$3" = yes ]; then
  for folder in /proc/sys/net/ipv6/conf/*; do
    values=$(cat "$folder/forwarding" "$folder/accept_ra" 2>/dev/null | tr -d '\\n')
    [ "$values" != 01 ] || echo 2 >"$folder/accept_ra"
  done
  echo 1 >${FORWARD6}
fi
`;

/**
 * Prepares the host for private networks: with mode `change` and no fatal obstacle, the rules are loaded and
 * forwarding is on. What is in place already stays untouched.
 *
 * @param examined What an examination that began earlier finds.
 */
export async function preparePrivateNetwork(
  host: Host,
  plan: NetworkPlan,
  mode: Mode,
  examined = examineNetwork(host),
): Promise<PrivateNetworkState> {
  const reading = readResolvers(host);
  // No read is left behind where the examination fails.
  const facts = await examined.finally(() => reading.catch(() => {}));
  const { ipv6, needsForward4, needsForward6, boot, verdict, chains } = facts;
  const tables = tablesOf(host, chains);
  const upstream = await reading;
  const obstacle = obstacleOfNft(facts);
  const { resolvers, obstacle: resolvedObstacle, failed } = obstacle !== undefined
    ? { resolvers: upstream, obstacle: null, failed: [obstacle] }
    : await loadForServers(host, plan, { upstream, tables, facts, mode });
  return {
    obstacles: [
      ...failed,
      ...obstacle === undefined ? await firewallObstacles(tables) : [],
      ...dnsObstacles(resolvers),
    ],
    resolvers,
    upstream,
    resolvedObstacle,
    ipv6,
    forwarded: !needsForward4 && !needsForward6,
    boot,
    verdict,
    tables,
  };
}

interface LoadOptions {
  readonly upstream: Resolvers;
  readonly tables: Tables;
  readonly facts: NetworkFacts;
  readonly mode: Mode;
}

/**
 * Loads the rules that let machines reach their name servers. The gateway stays one of them while machines may run that
 * were told it, such as while systemd-resolved restarts. A host that cannot load the limit of what machines ask there has
 * private networks with the upstream servers.
 *
 * @returns The name servers for a new machine, and obstacles where no rules could be loaded.
 */
async function loadForServers(
  host: Host,
  plan: NetworkPlan,
  { upstream, tables, facts, mode }: LoadOptions,
): Promise<NameServers & { readonly failed: readonly Obstacle[] }> {
  const range = plan.network_range;
  const options = { range, tables, facts: facts.chains, mayChange: mode === "change" };
  const chosen = await chooseNameServers(host, upstream, options);
  const load = (servers: readonly string[]) =>
    loadRules(host, rulesFor(plan, servers), facts, mode);
  const wasTold = allowsQueriesToHost(facts.chains);
  const kept = wasTold ? [ipv4Addresses(range, 0).gateway] : [];
  const { servers } = chosen.resolvers;
  const failed = await load([...new Set([...upstream.servers, ...servers, ...kept])]);
  if (failed.length === 0 || chosen.resolvers === upstream || wasTold) {
    return { ...chosen, failed };
  }
  const obstacle = {
    reason: `nftables cannot limit the queries of machines: ${failed[0]!.reason}`,
    fix: failed[0]!.fix,
  };
  return { resolvers: upstream, obstacle, failed: await load(upstream.servers) };
}

/**
 * Records for this boot what was found out about private networks.
 *
 * @param verdict One line.
 */
export async function rememberVerdict(
  host: Host,
  { boot, verdict: known }: Pick<PrivateNetworkState, "boot" | "verdict">,
  verdict: string,
): Promise<void> {
  if (boot === "" || known === verdict) return;
  await host.files.makeDirectory(RUNTIME_FOLDER);
  await host.files.replace(VERDICT_FILE, verdictLine(boot, verdict));
}

/** Returns whether that verdict was recorded in the boot with this id. */
export async function isVerdictOf(host: Host, boot: string, verdict: string): Promise<boolean> {
  const recorded = await host.files.read(VERDICT_FILE).catch(() => null);
  return boot !== "" && recorded === verdictLine(boot, verdict);
}

const verdictLine = (boot: string, verdict: string) => `${boot} ${verdict}\n`;

/** The state of the host's network. */
export interface NetworkFacts extends Pick<PrivateNetworkState, "boot" | "verdict"> {
  /** A program that is not installed. */
  readonly missing: string | undefined;
  /** What nft(8) printed when it could not list the chains. */
  readonly nftFailure: string | undefined;
  readonly ipv6: boolean;
  /** Whether forwarding of an address family has to be turned on. */
  readonly needsForward4: boolean;
  readonly needsForward6: boolean;
  /** The whole output: among others all chains, and the rules of our chain `forward`, as nft(8) prints them. */
  readonly chains: string;
}

/**
 * Examines the host's network, and changes nothing.
 *
 * @throws {Failure} of the host where that is not possible.
 */
export async function examineNetwork(host: Host): Promise<NetworkFacts> {
  const { code, stdout, stderr } = await host.processes.capture(["sh", "-c", FACTS_SCRIPT]);
  if (code !== 0) {
    const reason = stderr.trim().split("\n")[0] || `sh ended with ${code}`;
    throw hostFailure(`Cannot examine the host's network: ${reason}`, "Try again");
  }
  const [forward4, forward6] = stdout.split("\n");
  const ipv6 = /^default /m.test(stdout);
  const boot = stdout.match(/^boot (.*)$/m)?.[1] ?? "";
  const [, of, verdict = null] = stdout.match(/^verdict (\S+) (.*)$/m) ?? [];
  return {
    missing: stdout.match(/^lacks (.*)$/m)?.[1],
    nftFailure: stdout.match(/^nft failed: (.*)$/m)?.[1],
    ipv6,
    needsForward4: forward4 === "0",
    needsForward6: ipv6 && forward6 === "0",
    boot,
    verdict: of === boot ? verdict : null,
    chains: stdout,
  };
}

/** Returns why nft(8) cannot be used. */
function obstacleOfNft({ missing, nftFailure }: NetworkFacts): Obstacle | undefined {
  if (missing !== undefined) return missingProgram(missing);
  return nftFailure === undefined ? undefined : nftObstacle("nft cannot list chains", nftFailure);
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
  { needsForward4, needsForward6, chains }: NetworkFacts,
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
  return [nftObstacle("the rules of nftables cannot be loaded", stderr)];
}

/**
 * What nft(8) prints where the kernel has no nf_tables, NAT or fib, or this host may not change its rules. Anything else,
 * such as a busy kernel or a lack of memory, is a failure of this attempt.
 */
const INCAPABLE =
  /Operation not supported|Protocol not supported|No such file or directory|Operation not permitted|Read-only file system|Permission denied/;

function nftObstacle(problem: string, printed: string): Obstacle {
  return {
    topic: "nftables",
    reason: `${problem}: ${printed.trim().split("\n")[0]}`,
    fix: "Use a kernel with nf_tables, NAT and fib, and allow this host to change its rules",
    severity: INCAPABLE.test(printed) ? "fatal" : "failure",
  };
}

async function firewallObstacles(tables: Tables): Promise<Obstacle[]> {
  try {
    const firewalls = await blockingFirewalls(tables, droppingTables(tables.chains));
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
      fix: "Try again, and see nft list ruleset",
      severity: "failure",
    }];
  }
}

function dnsObstacles({ onlyStubs, isStubOfResolved, hasFile }: Resolvers): Obstacle[] {
  if (onlyStubs) {
    return [{
      topic: "DNS",
      reason: isStubOfResolved
        ? "systemd-resolved knows no name server at this moment"
        : "the host's only name server is on its loopback, and its upstream servers are not known",
      fix: isStubOfResolved
        ? "See resolvectl status"
        : "Name one in /etc/resolv.conf that machines can reach",
      severity: isStubOfResolved ? "minor" : "serious", // the host has none either, until it has a link
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
