/** Addresses of machines: each has one of its family for itself, and all have the same gateway. */

/** Where a private network begins: the name of its interface on the host, which no other program claims. */
export const INTERFACE_PREFIX = "nr-";

/** What it is called in the machine. */
export const MACHINE_INTERFACE = "eth0";

/** The IPv6 addresses of all machines: unique local ones, RFC 4193, that NAT hides. */
export const IPV6_RANGE = "fd6e:7370:6177::/64";

const NETWORK6 = IPV6_RANGE.replace(/\/64$/, "");

/** Addresses of one machine and of the host's end. */
export interface Addresses {
  readonly own: string;
  readonly gateway: string;
}

/**
 * How many machines have a place in a range.
 *
 * @param range `ADDRESS/BITS`.
 * @returns Their number: the network, the gateway and the last address are nobody's.
 */
export function slotsIn(range: string): number {
  return 2 ** (32 - bitsOf(range)) - 3;
}

/**
 * The IPv4 addresses of a slot.
 *
 * @param range `ADDRESS/BITS`.
 * @param slot From 0 on.
 * @returns The machine's, and its gateway.
 */
export function addresses(range: string, slot: number): Addresses {
  const first = firstOf(range);
  return { own: asText(first + 2 + slot), gateway: asText(first + 1) };
}

/**
 * The IPv6 addresses of a slot.
 *
 * @param slot From 0 on.
 * @returns The machine's, and its gateway.
 */
export function addresses6(slot: number): Addresses {
  return { own: `${NETWORK6}${(slot + 2).toString(16)}`, gateway: `${NETWORK6}1` };
}

/**
 * Whether an IPv4 network lies in another one.
 *
 * @param inner `ADDRESS/BITS`, or an address.
 * @param outer The same.
 * @returns True where the outer one has all its addresses.
 */
export function isWithinNetwork(inner: string, outer: string): boolean {
  return bitsOf(inner) >= bitsOf(outer) && firstOf(inner, bitsOf(outer)) === firstOf(outer);
}

/**
 * The name of a slot's interface on the host.
 *
 * @param slot From 0 on.
 * @returns The name.
 */
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
