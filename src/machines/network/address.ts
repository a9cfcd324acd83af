/** Interfaces and addresses of machines: each machine has a slot, and the address that belongs to it. */

/** The names of machines' interfaces on the host begin with it. */
export const INTERFACE_PREFIX = "nr-";

/** The name of the interface in a machine. */
export const MACHINE_INTERFACE = "eth0";

/** The IPv6 addresses of all machines: unique local ones, RFC 4193, behind NAT. */
export const IPV6_RANGE = "fd6e:7370:6177::/64";

const NETWORK6 = IPV6_RANGE.replace(/\/64$/, "");

/** The address of a machine, and that of the host's end of its interface. */
export interface Addresses {
  readonly own: string;
  readonly gateway: string;
}

/**
 * Returns how many machines a range has addresses for: all but the network, the gateway and the broadcast.
 *
 * @param range `ADDRESS/BITS`.
 */
export function slotCount(range: string): number {
  return 2 ** (32 - bitsOf(range)) - 3;
}

/**
 * Returns the IPv4 addresses of a slot.
 *
 * @param range `ADDRESS/BITS`.
 */
export function ipv4Addresses(range: string, slot: number): Addresses {
  const first = firstOf(range);
  return { own: asText(first + 2 + slot), gateway: asText(first + 1) };
}

/** Returns the IPv6 addresses of a slot. */
export function ipv6Addresses(slot: number): Addresses {
  return { own: `${NETWORK6}${(slot + 2).toString(16)}`, gateway: `${NETWORK6}1` };
}

/**
 * Returns whether an IPv4 network lies within another one.
 *
 * @param inner `ADDRESS/BITS`, or an address.
 * @param outer The same.
 */
export function isWithinNetwork(inner: string, outer: string): boolean {
  return bitsOf(inner) >= bitsOf(outer) && firstOf(inner, bitsOf(outer)) === firstOf(outer);
}

/** Returns the name of a slot's interface on the host. */
export function interfaceName(slot: number): string {
  return `${INTERFACE_PREFIX}${slot}`;
}

function bitsOf(range: string): number {
  return Number(range.split("/")[1] ?? 32);
}

function firstOf(range: string, bits = bitsOf(range)): number {
  const size = 2 ** (32 - bits);
  return Math.floor(numberOf(range) / size) * size;
}

function numberOf(range: string): number {
  return range.split("/")[0]!.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}

function asText(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join(".");
}
