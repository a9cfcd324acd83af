/** Lets systemd-resolved(8) answer machines as it answers the host: it knows which link has a name's server. */

import { join } from "@std/path/posix";
import { messageOf } from "../../failure.ts";
import type { Host } from "../../host/host.ts";
import { RUNTIME_FOLDER } from "../../runtime_folder.ts";
import { ipv4Addresses } from "./address.ts";
import { possibleInputFirewalls, type Tables } from "./firewalls.ts";
import type { Resolvers } from "./resolv.ts";

/** The name servers for machines. */
export interface NameServers {
  readonly resolvers: Resolvers;
  /** Why machines get the upstream servers of the host's systemd-resolved; null where that is not the case. */
  readonly obstacle: ResolvedObstacle | null;
}

/** A reason why systemd-resolved(8) does not answer machines. */
export interface ResolvedObstacle {
  readonly reason: string;
  readonly fix: string;
}

/** The address of systemd-resolved for machines, and what decides whether they reach it. */
export interface NameServerOptions {
  /** The addresses of machines. */
  readonly range: string;
  readonly tables: Tables;
  /** What {@linkcode RESOLVED_LINES} print. */
  readonly facts: string;
  /** Whether systemd-resolved may be told to listen there. */
  readonly mayChange: boolean;
}

/** The addresses at which systemd-resolved was told to listen; also a lock. */
const TRIED_FILE = join(RUNTIME_FOLDER, ".resolved");

const SOCKETS = "/proc/net/udp";

/** The tables of iptables-legacy(8), of which nft(8) knows nothing: not there without that part of the kernel. */
const LEGACY_TABLES = "/proc/net/ip_tables_names";

/**
 * A part of a program for sh: prints whether systemd-resolved(8) runs, and then the name servers that listen, and whether
 * iptables-legacy(8) filters.
 */
export const RESOLVED_LINES = `
[ ! -e /run/systemd/resolve/io.systemd.Resolve ] || {
  echo resolved
  grep ':0035 ' ${SOCKETS}
  [ ! -e ${LEGACY_TABLES} ] || sed -n 's/^filter$/legacy filter/p' ${LEGACY_TABLES}
}
`;

/**
 * Returns systemd-resolved at the gateway of machines as their only name server, where it is the host's own, listens
 * there or can be told to, and no firewall may be in between. Returns the upstream servers otherwise. Both together would
 * not do: musl asks all servers at once, and takes the first answer.
 */
export async function chooseNameServers(
  host: Host,
  upstream: Resolvers,
  options: NameServerOptions,
): Promise<NameServers> {
  if (!upstream.isStubOfResolved) return { resolvers: upstream, obstacle: null };
  const { gateway } = ipv4Addresses(options.range, 0);
  const obstacle = await obstacleOf(host, gateway, options);
  if (obstacle !== null) return { resolvers: upstream, obstacle };
  const resolvers = { ...upstream, servers: [gateway], isHostFile: false, onlyStubs: false };
  return { resolvers, obstacle };
}

async function obstacleOf(
  host: Host,
  gateway: string,
  { range, tables, facts, mayChange }: NameServerOptions,
): Promise<ResolvedObstacle | null> {
  if (!/^resolved$/m.test(facts)) {
    return {
      reason: "systemd-resolved does not run",
      fix: "systemctl enable --now systemd-resolved",
    };
  }
  if (/^legacy filter$/m.test(facts)) {
    return {
      reason: "iptables-legacy may drop the queries of machines",
      fix: "Load its rules with iptables-nft instead, and remove those of iptables-legacy",
    };
  }
  const firewall = await obstacleOfFirewalls(tables, range);
  if (firewall !== null) return firewall;
  const listens = facts.includes(` ${socketAt(gateway)} `) ||
    await canListenAt(host, gateway, mayChange);
  if (listens) return null;
  return {
    reason: `systemd-resolved did not listen at ${gateway} when it was told to`,
    fix: "See journalctl --unit=systemd-resolved; " +
      `to try again: rm ${TRIED_FILE} and systemctl restart systemd-resolved`,
  };
}

async function obstacleOfFirewalls(
  tables: Tables,
  range: string,
): Promise<ResolvedObstacle | null> {
  const calls = (["udp", "tcp"] as const).map((protocol) => ({ protocol, port: 53, range }));
  try {
    const firewalls = await possibleInputFirewalls(tables, calls);
    if (firewalls.length === 0) return null;
    return {
      reason: `${firewalls[0]!.chain} may drop the queries of machines`,
      fix: firewalls.map(({ fix }) => fix).join(" && "),
    };
  } catch (error) {
    return { reason: messageOf(error), fix: "Try again, and see nft list ruleset" };
  }
}

async function canListenAt(host: Host, gateway: string, mayChange: boolean): Promise<boolean> {
  if (!mayChange) { // the first machine tries
    const tried = await host.files.read(TRIED_FILE).catch(() => null) ?? "";
    return !tried.split("\n").includes(gateway);
  }
  const dropIn = `/run/systemd/resolved.conf.d/nspawn-runner-${gateway}.conf`;
  await host.files.makeDirectory(RUNTIME_FOLDER);
  const words = [dropIn, gateway, socketAt(gateway)];
  const { code } = await host.processes.capture(["sh", "-c", LISTEN_SCRIPT, "sh", ...words]);
  return code === 0;
}

/**
 * Arguments: a drop-in for resolved.conf(5), an address, and its socket as in proc_net(5). Succeeds where the server
 * listens. It is tried once in a boot: an administrator may have masked the drop-in below /etc, or another name server
 * has the port. The address need not exist yet. A reload ends shortly before the server listens.
 */
export const LISTEN_SCRIPT = `
umask 022 # systemd-resolved is no root
exec 9>>${TRIED_FILE} && flock --timeout 30 9 || exit
tries=1
if ! grep -qxF "$2" ${TRIED_FILE}; then
  mkdir -p "\${1%/*}" && printf '[Resolve]\\nDNSStubListenerExtra=%s\\n' "$2" >"$1" || exit
  timeout 20 systemctl try-reload-or-restart systemd-resolved.service 9>&- && tries=100
  echo "$2" >&9
fi
until grep -q " $3 " ${SOCKETS}; do
  [ "$((tries -= 1))" -gt 0 ] || exit 1
  sleep 0.02
done
`;

/** Returns port 53 of an address as in proc_net(5), in the byte order of all supported CPUs. */
function socketAt(address: string): string {
  const bytes = address.split(".").reverse().map((byte) => Number(byte).toString(16));
  return `${bytes.map((byte) => byte.padStart(2, "0")).join("").toUpperCase()}:0035`;
}
