/** Finds out whether GitLab is on this host, behind a firewall that drops what machines send to the host. */

import type { Host } from "../../host/host.ts";
import { inputFirewalls, type Tables } from "./firewalls.ts";
import type { Obstacle } from "./private_network.ts";

/** What decides whether machines reach a server on this host. */
export interface ServerAccess {
  /** The server's URL; undefined where there is none. */
  readonly server: string | undefined;
  /** Names with addresses for machines, `NAME:ADDRESS`. */
  readonly extra: readonly string[];
  /** The addresses of machines. */
  readonly range: string;
  readonly tables: Tables;
}

/** Returns an obstacle for each chain that drops what machines send to a server on this host. */
export async function inputObstacles(
  host: Host,
  { server, extra, range, tables }: ServerAccess,
): Promise<Obstacle[]> {
  if (server === undefined || !URL.canParse(server)) return [];
  const { protocol, hostname, port: named } = new URL(server);
  const port = Number(named) || (protocol === "http:" ? 80 : 443);
  // A table that its program loads again at this moment is no reason against a job.
  const firewalls = await inputFirewalls(tables, [{ protocol: "tcp", port, range }])
    .catch(() => []);
  if (firewalls.length === 0 || !await isOwn(host, hostname, extra)) return [];
  return firewalls.map(({ chain, fix }) => ({
    topic: "GitLab",
    reason: `${hostname} is this host, where ${chain} drops what machines send to port ${port}`,
    fix: `Let it pass: ${fix}`,
    severity: "minor", // a condition of a rule may be unknown here
  }));
}

/** Returns whether a name leads to an address of this host that is not a loopback. */
async function isOwn(host: Host, name: string, extra: readonly string[]): Promise<boolean> {
  const configured = extra.filter((one) => one.startsWith(`${name}:`))
    .map((one) => one.slice(name.length + 1));
  const names = configured.length > 0 ? configured : [name.replace(/^\[(.*)\]$/, "$1")];
  const { code } = await host.processes.capture(["sh", "-c", IS_OWN_SCRIPT, "sh", ...names]);
  return code === 0;
}

/** Arguments: names and addresses. Succeeds where one has an IPv4 address of this host, but for its loopback. */
export const IS_OWN_SCRIPT = `
for name; do timeout 2 getent ahostsv4 "$name"; done | while read -r address type _; do
  case $type:$address in
    STREAM:127.*) ;;
    STREAM:*) ip route get "$address" 2>/dev/null ;;
  esac
done | grep -q '^local '
`;
