/** The veth(4) pair between a machine and its host: nspawn makes it, and it ends with the machine's network namespace. */

import type { MachineSettings } from "../../config/settings.ts";
import { hostFailure } from "../../failure.ts";
import type { Argv, Host } from "../../host/host.ts";
import { until } from "../../linux/wait.ts";
import { interfaceName, ipv4Addresses, ipv6Addresses, MACHINE_INTERFACE } from "./address.ts";

/** How a machine that starts is connected: a part of its specification. */
export interface Connection {
  readonly link: Veth | null;
  readonly onLeader?: ((pid: number) => void) | undefined;
  readonly settings: Pick<MachineSettings, "prepare_timeout">;
}

/** A pair of interfaces that a machine will have. */
export interface Veth {
  /** The name of the host's interface. */
  readonly name: string;
  /** Commands of `ip -batch`, in the host's network namespace and in the machine's. */
  readonly outside: readonly string[];
  readonly inside: readonly string[];
}

/**
 * Returns the setup of a slot's interfaces. Each address has a peer instead of a network, so that no route to
 * other machines appears. The commands replace what an earlier prepare, which was killed, may have set.
 *
 * @param range The IPv4 addresses of all machines.
 * @param ipv6 Whether the machine also has an IPv6 address.
 */
export function vethFor(range: string, slot: number, ipv6: boolean): Veth {
  const name = interfaceName(slot);
  const four = ipv4Addresses(range, slot);
  const six = ipv6Addresses(slot);
  return {
    name,
    outside: [
      `link set ${name} multicast off up`,
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
      // The route to an IPv6 peer appears only when the interface is ready, which may be later: hence `onlink`.
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

/** Milliseconds between two checks whether the interface is there. */
const CHECK_INTERVAL = 10;

/**
 * Arguments: the host's interface, the machine's PID 1, the two batches, the calling process, how often to check.
 * Ends with its caller. The host's ip(8) runs in the machine's namespace, since an image may have none.
 */
export const CONNECT_SCRIPT = `
link=$1 leader=$2 outside=$3 inside=$4 caller=$5 tries=$6
until [ -e "/proc/sys/net/ipv4/conf/$link" ]; do
  [ -d "/proc/$caller" ] || exit 1
  [ "$tries" -gt 0 ] || { echo "interface $link did not appear in time" >&2; exit 1; }
  tries=$((tries - 1))
  sleep ${CHECK_INTERVAL / 1000}
done
for key in accept_ra accept_redirects; do
  file=/proc/sys/net/ipv6/conf/$link/$key
  [ ! -e "$file" ] || echo 0 >"$file"
done
echo 0 >"/proc/sys/net/ipv4/conf/$link/route_localnet"
# That pid may belong to a process of the host by now, whose routes must not change.
# shellcheck disable=SC3013 # every sh has it, and POSIX since 2024
[ ! "/proc/$leader/ns/net" -ef "/proc/$$/ns/net" ] || {
  echo "the machine is in the host's network namespace" >&2
  exit 1
}
ip -batch - <<END || exit
$outside
END
# Images rely on ports below 1024 that are free for all users, as in Docker.
nsenter --net="/proc/$leader/ns/net" \\
  sh -c 'echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start; exec ip -batch -' <<END
$inside
END
`;

/**
 * Starts a machine and sets up its interfaces as soon as nspawn has made them, while the machine boots.
 *
 * @param spec `link` is null for a machine without interfaces.
 * @param findLeader Returns the machine's PID 1; null as long as there is none.
 * @param start Starts the machine; ends when it is ready.
 * @returns The result of `start`.
 * @throws {Failure} of the host where the interfaces could not be set up; what `start` throws.
 */
export async function connectWhileStarting<T>(
  host: Host,
  spec: Connection,
  findLeader: () => Promise<number | null>,
  start: () => Promise<T>,
): Promise<T> {
  if (spec.link === null && spec.onLeader === undefined) return await start();
  const ended = new AbortController();
  let hasStarted = false;
  const starting = start().then((started) => { // begins at once; the setup runs in parallel
    hasStarted = true;
    return started;
  });
  // A started machine has a PID 1: where none is found after the start, none will be.
  const find = async () => [hasStarted, await findLeader()] as const;
  const connecting = connect(host, spec, find, ended.signal)
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
  { link, onLeader, settings }: Connection,
  find: () => Promise<readonly [hasStarted: boolean, leader: number | null]>,
  signal: AbortSignal,
): Promise<void> {
  const timeout = settings.prepare_timeout * 1000;
  const end = host.clock.monotonic() + timeout;
  let leader: number | null = null;
  await until(host, { timeout, signal }, async () => {
    const [hasStarted, found] = await find();
    leader = found;
    return leader !== null || hasStarted;
  });
  if (signal.aborted) return;
  if (leader === null) {
    throw hostFailure("Cannot connect the machine to its network: its PID 1 is unknown");
  }
  onLeader?.(leader);
  if (link !== null) await connectLink(host, link, leader, end, signal);
}

/** @param end The latest end of the setup, by the monotonic clock. */
async function connectLink(
  host: Host,
  { name, outside, inside }: Veth,
  leader: number,
  end: number,
  signal: AbortSignal,
): Promise<void> {
  const batches = [outside.join("\n"), inside.join("\n")];
  const tries = Math.ceil(Math.max(0, end - host.clock.monotonic()) / CHECK_INTERVAL);
  const words = [name, `${leader}`, ...batches, `${host.pid()}`, `${tries}`];
  const argv: Argv = ["sh", "-c", CONNECT_SCRIPT, "sh", ...words];
  const { code, stderr } = await host.processes.capture(argv, { signal });
  if (code === 0 || signal.aborted) return;
  throw hostFailure(`Cannot connect the machine to its network: ${stderr.trim()}`);
}
