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
 * network of that size appears on the host. Who waits for a prepare that was killed may come first.
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
      `address replace ${four.gateway} peer ${four.own} dev ${name}`,
      ...when(ipv6, [
        `address replace ${six.gateway}/128 dev ${name} nodad`,
        `route replace ${six.own}/128 dev ${name}`,
      ]),
    ],
    inside: [
      "link set lo up",
      `link set ${INSIDE_LINK} up`,
      `address replace ${four.own} peer ${four.gateway} dev ${INSIDE_LINK}`,
      `route replace default via ${four.gateway} dev ${INSIDE_LINK}`,
      // Of IPv6 a link takes the address of a peer for a route when it is ready, and that may be later.
      ...when(ipv6, [
        `address replace ${six.own}/128 dev ${INSIDE_LINK} nodad`,
        `route replace default via ${six.gateway} dev ${INSIDE_LINK} onlink`,
      ]),
    ],
  };
}

function when(wanted: boolean, commands: readonly string[]): readonly string[] {
  return wanted ? commands : [];
}

/** Milliseconds between two looks for a link. */
const PAUSE = 10;

/**
 * Words: the link, the cgroup that nspawn and its machine are in, the two batches, who waits for it: when that
 * was killed there may never be a link; how often it is looked for. Our own ip(8) does it in the machine's
 * namespace, which its PID 1 leads to: an image may have none. While a machine starts each process counts, so
 * that the shell itself looks.
 */
const CONNECT = `
link=$1 cgroup=$2 outside=$3 inside=$4 caller=$5 looks=$6
wait_for() {
  until "$@"; do
    [ -d "/proc/$caller" ] || exit 1
    [ "$looks" -gt 0 ] || { echo "nspawn makes $link for nobody" >&2; exit 1; }
    looks=$((looks - 1))
    sleep ${PAUSE / 1000}
  done
}
wait_for [ -e "/proc/sys/net/ipv4/conf/$link" ]
for key in accept_ra accept_redirects; do
  file=/proc/sys/net/ipv6/conf/$link/$key
  [ ! -e "$file" ] || echo 0 >"$file"
done
printf '%s\\n' "$outside" | ip -batch - || exit
# Its hierarchy may be mounted elsewhere, and systemd may be no root of it.
[ -d "$cgroup" ] || cgroup=$(find /sys/fs/cgroup -type d -name "\${cgroup##*/}" -print -quit)
# nspawn moves it to a cgroup below, and an init goes farther down: in one look it could be between two.
find_leader() {
  files=
  for pid in $(find "$cgroup" -name cgroup.procs -exec cat {} + 2>/dev/null); do
    files="$files /proc/$pid/status"
  done
  set -- $(grep -ls '^NSpid:.*[[:space:]]1$' $files </dev/null)
  leader=\${1%/status}
  [ -n "$leader" ]
}
wait_for find_leader
printf '%s\\n' "$inside" | nsenter --net="$leader/ns/net" ip -batch -
`;

/**
 * Starts a machine and, as soon as nspawn has made its link, gives both ends their addresses: the machine
 * boots meanwhile.
 *
 * @param host The outside.
 * @param link The link; null for a machine that has none.
 * @param cgroup Where nspawn and its machine are, as a path in the host's file system.
 * @param start Ends when the machine is ready.
 * @returns What the start gave.
 * @throws {Failure} of the host when the link has no addresses in the end, and what the start throws.
 */
export async function whileConnecting<T>(
  host: Host,
  link: Link | null,
  cgroup: string,
  start: () => Promise<T>,
): Promise<T> {
  if (link === null) return await start();
  const ended = new AbortController();
  const starting = start(); // at once: all else happens meanwhile
  const connecting = connect(host, link, cgroup, ended.signal)
    .then(() => null, (error: unknown) => error);
  try {
    const started = await starting;
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
  cgroup: string,
  signal: AbortSignal,
): Promise<void> {
  const batches = [outside.join("\n"), inside.join("\n")];
  const looks = Math.ceil(patience * 1000 / PAUSE);
  const words = [name, cgroup, ...batches, `${host.pid()}`, `${looks}`];
  const argv: Argv = ["sh", "-c", CONNECT, "sh", ...words];
  const { code, stderr } = await host.processes.capture(argv, { signal });
  if (code === 0 || signal.aborted) return;
  throw hostFailure(`Cannot connect the machine to its network: ${stderr.trim()}`);
}
