import assert from "node:assert/strict";
import { overlap } from "../../../../src/machines/network/overlap.ts";

const PAIRS: readonly (readonly [string, string, boolean])[] = [
  ["169.254.169.254", "169.254.0.0/16", true],
  ["0.0.0.0/0", "100.100.100.200", true],
  ["169.254.0.0/17", "169.254.128.0/17", false],
  ["10.0.0.1", "10.0.0.2", false],
  ["255.255.255.255", "255.0.0.0/8", true],
  ["::/0", "fd00:ec2::254", true],
  ["fd00:ec2::/32", "fd00:ec2::254", true],
  ["fd00:ec2::255", "fd00:ec2::254", false],
  ["fd20::/16", "fd20:ce::254", true],
  ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8/127", true],
  ["::ffff:1.2.3.4", "::ffff:102:304", true],
  ["0.0.0.0/0", "::1", false],
];

for (const [one, other, expected] of PAIRS) {
  Deno.test(`overlap() of ${one} and ${other} is ${expected}`, () => {
    assert.deepEqual([overlap(one, other), overlap(other, one)], [expected, expected]);
  });
}
