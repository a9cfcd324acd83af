/** The link of a machine to its host: made by nspawn, and gone with the machine's network namespace. */

import { hostFailure } from "../../failure.ts";
import type { Argv, Host } from "../../host/host.ts";
import { addresses, addresses6, INSIDE_LINK, linkOf } from "./address.ts";

/** A link that a machine is to have. */
export interface Link {
  /** Seconds that it may take. */
  readonly patience: number;
  /** The name of the host's end. */
  readonly name: string;
  /** Commands of `ip -batch` for the host's end, and for the machine's. */
  readonly outside: readonly string[];
  readonly inside: readonly string[];
}

/**
 * What a slot's link is made of. The addresses are those of the two ends and of nobody else, so that no
 * network of that size appears on the host.
 *
 * @param range The IPv4 addresses of all machines.
 * @param slot Its place.
 * @param ipv6 Whether it has an address of IPv6, too.
 * @param patience Seconds that it may take.
 * @returns The link.
 */
export function linkFor(range: string, slot: number, ipv6: boolean, patience: number): Link {
  const name = linkOf(slot);
  const four = addresses(range, slot);
  const six = addresses6(slot);
  return {
    name,
    patience,
    outside: [
      `link set ${name} up`,
      `address add ${four.gateway} peer ${four.own} dev ${name}`,
      ...when(ipv6, [
        `address add ${six.gateway}/128 dev ${name} nodad`,
        `route add ${six.own}/128 dev ${name}`,
      ]),
    ],
    inside: [
      "link set lo up",
      `link set ${INSIDE_LINK} up`,
      `address add ${four.own} peer ${four.gateway} dev ${INSIDE_LINK}`,
      `route add default via ${four.gateway} dev ${INSIDE_LINK}`,
      // Of IPv6 a link takes the address of a peer for a route when it is ready, and that may be later.
      ...when(ipv6, [
        `address add ${six.own}/128 dev ${INSIDE_LINK} nodad`,
        `route add default via ${six.gateway} dev ${INSIDE_LINK} onlink`,
      ]),
    ],
  };
}

function when(wanted: boolean, commands: readonly string[]): readonly string[] {
  return wanted ? commands : [];
}

/** How often the link is looked for in a second. */
const LOOKS = 100;

/**
 * Words: the link, nspawn's process id or the unit that has it, the two batches, who waits for it: when that
 * was killed there may never be a link; how often it is looked for. Our own ip(8) does it in the machine's
 * namespace: an image may have none.
 */
const CONNECT = `
link=$1 nspawn=$2 looks=$6
until grep -q "^ *$link:" /proc/net/dev; do
  [ -d "/proc/$5" ] || exit 1
  [ "$looks" -gt 0 ] || { echo 'nspawn makes no link' >&2; exit 1; }
  looks=$((looks - 1))
  sleep ${1 / LOOKS}
done
case $nspawn in
  *.service) nspawn=$(systemctl show --property=MainPID --value "$nspawn") ;;
esac
for pid in $(cat "/proc/$nspawn/task/$nspawn/children"); do
  if grep -qs '^NSpid:.*[[:space:]]1$' "/proc/$pid/status"; then leader=$pid; fi
done
for key in accept_ra accept_redirects; do
  file=/proc/sys/net/ipv6/conf/$link/$key
  [ ! -e "$file" ] || echo 0 >"$file"
done
printf '%s\\n' "$3" | ip -batch - || exit
printf '%s\\n' "$4" | nsenter --net="/proc/$leader/ns/net" ip -batch -
`;

/**
 * Starts a machine and, as soon as nspawn has made its link, gives both ends their addresses: the machine
 * boots meanwhile.
 *
 * @param host The outside.
 * @param link The link; null for a machine that has none.
 * @param nspawn nspawn's process id, or the unit that has it.
 * @param start Ends when the machine is ready.
 * @returns What the start gave.
 * @throws {Failure} of the host when the link has no addresses in the end, and what the start throws.
 */
export async function whileConnecting<T>(
  host: Host,
  link: Link | null,
  nspawn: string,
  start: () => Promise<T>,
): Promise<T> {
  if (link === null) return await start();
  const ended = new AbortController();
  const connecting = connect(host, link, nspawn, ended.signal)
    .then(() => null, (error: unknown) => error);
  try {
    const started = await start();
    const failure = await connecting;
    if (failure !== null) throw failure;
    return started;
  } finally {
    ended.abort();
    await connecting;
  }
}

async function connect(
  host: Host,
  { name, patience, outside, inside }: Link,
  nspawn: string,
  signal: AbortSignal,
): Promise<void> {
  const batches = [outside.join("\n"), inside.join("\n")];
  const words = [name, nspawn, ...batches, `${host.pid()}`, `${patience * LOOKS}`];
  const argv: Argv = ["sh", "-c", CONNECT, "sh", ...words];
  const { code, stderr } = await host.processes.capture(argv, { signal });
  if (code === 0 || signal.aborted) return;
  throw hostFailure(`Cannot connect the machine to its network: ${stderr.trim()}`);
}
