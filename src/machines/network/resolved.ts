/** Lets systemd-resolved(8) answer machines as it answers the host: it knows which link has a name's server. */

import { join } from "@std/path/posix";
import type { Host } from "../../host/host.ts";
import { RUNTIME_FOLDER } from "../../runtime_folder.ts";
import { ipv4Addresses } from "./address.ts";
import { type InputFirewall, inputFirewalls } from "./firewalls.ts";
import type { Resolvers } from "./resolv.ts";

/** What machines are told of name servers. */
export interface Answering {
  readonly resolvers: Resolvers;
  /** The chains because of which machines cannot ask systemd-resolved. */
  readonly firewalls: readonly InputFirewall[];
}

/** The address at which machines ask, and what decides whether they reach it. */
export interface AnswerOptions {
  /** The addresses of machines. */
  readonly range: string;
  /** The output of `nft list chains`. */
  readonly chains: string;
  /** Whether systemd-resolved may be told to listen there. */
  readonly mayChange: boolean;
}

/** There while systemd-resolved(8) runs. */
const SOCKET = "/run/systemd/resolve/io.systemd.Resolve";

const SOCKETS = "/proc/net/udp";

/**
 * Returns systemd-resolved at the gateway of machines as their only name server, where it is the host's own, listens
 * there or can be told to, and no firewall is in between. Returns the upstream servers otherwise.
 */
export async function answeringServers(
  host: Host,
  upstream: Resolvers,
  { range, chains, mayChange }: AnswerOptions,
): Promise<Answering> {
  const unchanged = { resolvers: upstream, firewalls: [] };
  if (!upstream.isStubOfResolved || await host.files.lstat(SOCKET) === null) return unchanged;
  const calls = (["udp", "tcp"] as const).map((protocol) => ({ protocol, port: 53, range }));
  const firewalls = await inputFirewalls(host, chains, calls).catch(() => null);
  if (firewalls === null) return unchanged;
  if (firewalls.length > 0) return { resolvers: upstream, firewalls };
  const { gateway } = ipv4Addresses(range, 0);
  if (!await answersAt(host, gateway, mayChange)) return unchanged;
  const resolvers = { ...upstream, servers: [gateway], isHostFile: false, onlyStubs: false };
  return { resolvers, firewalls: [] };
}

async function answersAt(host: Host, gateway: string, mayChange: boolean): Promise<boolean> {
  if (await listensAt(host, gateway)) return true;
  const dropIn = `/run/systemd/resolved.conf.d/nspawn-runner-${gateway}.conf`;
  if (await host.files.lstat(dropIn) !== null && !mayChange) return false;
  if (!mayChange) return true; // the first machine writes it
  await host.files.makeDirectory(RUNTIME_FOLDER);
  const words = [dropIn, gateway, socketAt(gateway)];
  const { code } = await host.processes.capture(["sh", "-c", LISTEN_SCRIPT, "sh", ...words]);
  return code === 0;
}

/**
 * Arguments: a drop-in for resolved.conf(5), an address, and its socket as in proc_net(5). Succeeds where the server
 * listens. A drop-in that is there was tried in this boot already: an administrator may have masked it below /etc, or
 * another name server has the port. The address need not exist yet. A reload ends shortly before the server listens.
 */
export const LISTEN_SCRIPT = `
exec 9>>${join(RUNTIME_FOLDER, ".resolved")} && flock 9 || exit
tries=1
if [ ! -e "$1" ]; then
  mkdir -p "\${1%/*}" && printf '[Resolve]\\nDNSStubListenerExtra=%s\\n' "$2" >"$1" || exit
  systemctl reload-or-restart systemd-resolved.service 9>&- || exit
  tries=100
fi
until grep -q " $3 " ${SOCKETS}; do
  [ "$((tries -= 1))" -gt 0 ] || exit 1
  sleep 0.02
done
`;

async function listensAt(host: Host, address: string): Promise<boolean> {
  const sockets = await host.files.read(SOCKETS).catch(() => null) ?? "";
  return sockets.includes(` ${socketAt(address)} `);
}

/** Returns port 53 of an address as in proc_net(5), in the byte order of all supported CPUs. */
function socketAt(address: string): string {
  const bytes = address.split(".").reverse().map((byte) => Number(byte).toString(16));
  return `${bytes.map((byte) => byte.padStart(2, "0")).join("").toUpperCase()}:0035`;
}
