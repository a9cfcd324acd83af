/**
 * Connects the machines of one job with each other: each pair by a veth(4) link of its own, from the network namespace of
 * the one straight to that of the other. The host has no part in it, and each link ends with either namespace.
 */

import { hostFailure } from "../../failure.ts";
import type { Argv, Host } from "../../host/host.ts";
import { ipv4Addresses, ipv6Addresses, slotCount } from "./address.ts";
import type { Network } from "../record/network.ts";

/** A machine of a job, as the others reach it. */
export interface Peer {
  /** Its PID 1. */
  readonly pid: number;
  readonly ipv4: string;
  /** Null where machines have no IPv6. */
  readonly ipv6: string | null;
}

/**
 * Returns the addresses by which the machines of a job reach each other. A machine without a way out has none of its own:
 * it gets one from the end of the range, which counts among these machines only.
 *
 * @param networks Those of the machines, of which none is the host's.
 * @param hasIpv6 Whether machines with a way out have IPv6.
 */
export function peerAddresses(
  range: string,
  networks: readonly Network[],
  hasIpv6: boolean,
): Pick<Peer, "ipv4" | "ipv6">[] {
  const slots = networks.map((network) => network.kind === "private" ? network.slot : null);
  let last = slotCount(range);
  return slots.map((slot) => {
    if (slot !== null) return addressesOf(range, slot, hasIpv6);
    do last--; while (slots.includes(last));
    return addressesOf(range, last, false);
  });
}

function addressesOf(range: string, slot: number, hasIpv6: boolean): Pick<Peer, "ipv4" | "ipv6"> {
  return {
    ipv4: ipv4Addresses(range, slot).own,
    ipv6: hasIpv6 ? ipv6Addresses(slot).own : null,
  };
}

/** Returns the name of an interface that leads to a peer; the job's machine has number 0. */
function interfaceTo(number: number): string {
  return number === 0 ? "job" : `service${number}`;
}

/**
 * Arguments: the commands that make the links, then for each machine its PID 1 and its commands. They are commands of
 * `ip -batch`.
 */
export const CONNECT_PEERS_SCRIPT = `
links=$1
shift
# A PID may belong to a process of the host by now, whose network must not change.
for word; do
  case $word in
    *[!0-9]*) continue ;;
  esac
  # shellcheck disable=SC3013 # every sh has it, and POSIX since 2024
  [ ! "/proc/$word/ns/net" -ef "/proc/$$/ns/net" ] || {
    echo "a machine is in the host's network namespace" >&2
    exit 1
  }
done
printf '%s\\n' "$links" | ip -batch - || exit
while [ $# -gt 0 ]; do
  printf '%s\\n' "$2" | nsenter --net="/proc/$1/ns/net" ip -batch - || exit
  shift 2
done
`;

/**
 * Connects machines with each other. None of them is in the host's network.
 *
 * @param peers The first one is the job's.
 * @throws {Failure} `host` where a machine has ended, or the links cannot be made.
 */
export async function connectPeers(host: Host, peers: readonly Peer[]): Promise<void> {
  const argv: Argv = ["sh", "-c", CONNECT_PEERS_SCRIPT, "sh", ...peerCommands(peers)];
  const { code, stderr } = await host.processes.capture(argv);
  if (code === 0) return;
  throw hostFailure(
    `Cannot connect the machines of the job with each other: ${stderr.trim().split("\n")[0]}`,
    "Retry the job; a host needs the package iproute2",
  );
}

/** Returns the arguments of the script. */
export function peerCommands(peers: readonly Peer[]): string[] {
  const links = peers.flatMap((one, index) =>
    peers.slice(index + 1).map((other, distance) => {
      const number = index + 1 + distance;
      return `link add ${interfaceTo(number)} netns ${one.pid} type veth ` +
        `peer name ${interfaceTo(index)} netns ${other.pid}`;
    })
  );
  return [
    links.join("\n"),
    ...peers.flatMap((own, index) => [
      `${own.pid}`,
      peers.flatMap((other, number) => number === index ? [] : linkTo(own, other, number))
        .join("\n"),
    ]),
  ];
}

/** A metric with which a route counts only where there is no other one. */
const LAST = 65_535;

function linkTo(own: Peer, other: Peer, number: number): string[] {
  const name = interfaceTo(number);
  return [
    `link set ${name} up`,
    `address replace ${own.ipv4} peer ${other.ipv4} dev ${name}`,
    // What is sent to a machine that has ended does not leave by the default route.
    `route replace unreachable ${other.ipv4} metric ${LAST}`,
    ...(own.ipv6 === null || other.ipv6 === null ? [] : [
      `address replace ${own.ipv6}/128 dev ${name} nodad`,
      `route replace ${other.ipv6}/128 dev ${name}`,
      `route replace unreachable ${other.ipv6}/128 metric ${LAST}`,
    ]),
  ];
}
