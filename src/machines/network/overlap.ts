/** Networks of IPv4 and IPv6 that have addresses in common. */

/** Returns whether two networks, `ADDRESS/BITS`, or addresses have an address in common. */
export function overlap(one: string, other: string): boolean {
  const [a, b] = [rangeOf(one), rangeOf(other)];
  return a.width === b.width && a.first <= b.last && b.first <= a.last;
}

interface Range {
  /** Bits of an address. */
  readonly width: 32 | 128;
  readonly first: bigint;
  readonly last: bigint;
}

function rangeOf(network: string): Range {
  const [address = "", bits] = network.split("/");
  const width = address.includes(":") ? 128 : 32;
  const size = 1n << BigInt(width - Number(bits ?? width));
  const number = width === 128
    ? numberOf(groupsOf(address), 16n)
    : numberOf(address.split(".").map(Number), 8n);
  const first = number / size * size;
  return { width, first, last: first + size - 1n };
}

function numberOf(parts: readonly number[], bits: bigint): bigint {
  return parts.reduce((sum, part) => (sum << bits) + BigInt(part), 0n);
}

/** Returns the eight groups of an IPv6 address; a URL has it in the form of RFC 5952. */
function groupsOf(address: string): number[] {
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [left = [], right = []] = canonical.split("::").map((half) =>
    half.split(":").filter((group) => group !== "").map((group) => Number.parseInt(group, 16))
  );
  return [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right];
}
