/** Addresses of machines. */

import assert from "node:assert/strict";
import {
  ipv4Addresses,
  ipv6Addresses,
  isWithinNetwork,
  slotCount,
} from "../../../../src/machines/network/address.ts";

const ADDRESSES: readonly (readonly [string, number, string, string])[] = [
  ["10.231.0.0/19", 0, "10.231.0.2", "10.231.0.1"],
  ["10.231.0.0/19", 254, "10.231.1.0", "10.231.0.1"],
  ["192.168.7.77/24", 3, "192.168.7.5", "192.168.7.1"],
];

for (const [range, slot, own, gateway] of ADDRESSES) {
  Deno.test(`ipv4Addresses() gives slot ${slot} of ${range} ${own}`, () => {
    assert.deepEqual(ipv4Addresses(range, slot), { own, gateway });
  });
}

Deno.test("ipv4Addresses() of all slots are in their range, and no two are equal", () => {
  const range = "10.9.8.0/26";
  const all = Array.from({ length: slotCount(range) }, (_, slot) => ipv4Addresses(range, slot).own);
  assert.equal(new Set(all).size, 61);
  assert.ok(all.every((address) => isWithinNetwork(address, range)));
  assert.ok(!all.includes("10.9.8.1") && !all.includes("10.9.8.63"));
});

Deno.test("ipv6Addresses() differ by slot", () => {
  assert.deepEqual(ipv6Addresses(0), { own: "fd6e:7370:6177::2", gateway: "fd6e:7370:6177::1" });
  assert.equal(ipv6Addresses(254).own, "fd6e:7370:6177::100");
});

const WITHIN: readonly (readonly [string, string, boolean])[] = [
  ["10.231.0.0/19", "10.0.0.0/8", true],
  ["10.0.0.0/8", "10.231.0.0/19", false],
  ["10.231.0.0/19", "10.231.0.0/19", true],
  ["10.231.31.255", "10.231.0.0/19", true],
  ["10.231.8.0/24", "10.231.7.7/19", true],
  ["10.231.32.0/24", "10.231.0.0/19", false],
  ["10.231.0.0/19", "0.0.0.0/0", true],
];

for (const [inner, outer, is] of WITHIN) {
  Deno.test(`isWithinNetwork() of ${inner} and ${outer} is ${is}`, () => {
    assert.equal(isWithinNetwork(inner, outer), is);
  });
}
