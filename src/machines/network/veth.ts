/** The link of a machine to its host: made by nspawn, and gone with the machine's network namespace. */

import { hostFailure } from "../../failure.ts";
import type { Argv, Host } from "../../host/host.ts";
import { until } from "../../linux/wait.ts";
import { addresses, addresses6, interfaceName, MACHINE_INTERFACE } from "./address.ts";

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
  const name = interfaceName(slot);
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
      `link set ${MACHINE_INTERFACE} up`,
      `address replace ${four.own} peer ${four.gateway} dev ${MACHINE_INTERFACE}`,
      `route replace default via ${four.gateway} dev ${MACHINE_INTERFACE}`,
      // Of IPv6 a link takes the address of a peer for a route when it is ready, and that may be later.
      ...when(ipv6, [
        `address replace ${six.own}/128 dev ${MACHINE_INTERFACE} nodad`,
        `route replace default via ${six.gateway} dev ${MACHINE_INTERFACE} onlink`,
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
 * Words: the link, the machine's PID 1, the two batches, who waits for the link: when that was killed there may
 * never be one; how often it is looked for. Our own ip(8) does it in the machine's namespace: an image may have
 * none. While a machine starts each process counts, so that the shell itself looks.
 */
export const CONNECT_SCRIPT = `
link=$1 leader=$2 outside=$3 inside=$4 caller=$5 looks=$6
until [ -e "/proc/sys/net/ipv4/conf/$link" ]; do
  [ -d "/proc/$caller" ] || exit 1
  [ "$looks" -gt 0 ] || { echo "nspawn makes $link for nobody" >&2; exit 1; }
  looks=$((looks - 1))
  sleep ${PAUSE / 1000}
done
for key in accept_ra accept_redirects; do
  file=/proc/sys/net/ipv6/conf/$link/$key
  [ ! -e "$file" ] || echo 0 >"$file"
done
# The host's own routes are no machine's, whoever has that pid by now.
# shellcheck disable=SC3013 # every sh has it, and POSIX since 2024
[ ! "/proc/$leader/ns/net" -ef "/proc/$$/ns/net" ] || { echo "it has the host's" >&2; exit 1; }
printf '%s\\n' "$outside" | ip -batch - || exit
printf '%s\\n' "$inside" | nsenter --net="/proc/$leader/ns/net" ip -batch -
`;

/**
 * Starts a machine and, as soon as nspawn has made its link, gives both ends their addresses: the machine
 * boots meanwhile.
 *
 * @param host The outside.
 * @param link The link; null for a machine that has none.
 * @param findLeader Tells the machine's PID 1 as soon as there is one.
 * @param start Ends when the machine is ready.
 * @returns What the start gave.
 * @throws {Failure} of the host when the link has no addresses in the end, and what the start throws.
 */
export async function connectWhileStarting<T>(
  host: Host,
  link: Link | null,
  findLeader: () => Promise<number | null>,
  start: () => Promise<T>,
): Promise<T> {
  if (link === null) return await start();
  const ended = new AbortController();
  let hasStarted = false;
  const starting = start().then((started) => { // at once: all else happens meanwhile
    hasStarted = true;
    return started;
  });
  // What has started has a PID 1: who finds none then, never does.
  const find = async () => [hasStarted, await findLeader()] as const;
  const connecting = connect(host, link, find, ended.signal)
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
  find: () => Promise<readonly [hasStarted: boolean, leader: number | null]>,
  signal: AbortSignal,
): Promise<void> {
  const end = host.clock.now() + patience * 1000;
  let leader: number | null = null;
  await until(host, patience * 1000, async () => {
    const [hasStarted, found] = await find();
    leader = found;
    return leader !== null || hasStarted || signal.aborted;
  });
  if (signal.aborted) return;
  if (leader === null) {
    throw hostFailure("Cannot connect the machine to its network: nobody knows its PID 1");
  }
  const batches = [outside.join("\n"), inside.join("\n")];
  const looks = Math.ceil(Math.max(0, end - host.clock.now()) / PAUSE);
  const words = [name, `${leader}`, ...batches, `${host.pid()}`, `${looks}`];
  const argv: Argv = ["sh", "-c", CONNECT_SCRIPT, "sh", ...words];
  const { code, stderr } = await host.processes.capture(argv, { signal });
  if (code === 0 || signal.aborted) return;
  throw hostFailure(`Cannot connect the machine to its network: ${stderr.trim()}`);
}
