/** What jobs may change of their machines. */

import assert from "node:assert/strict";
import { withWishes } from "../../../src/config/overrides.ts";
import { SETTINGS } from "../machines/fixture.ts";

const NONE = {
  memory_max: undefined,
  cpu_quota: undefined,
  tasks_max: undefined,
  disk_max: undefined,
  boot: undefined,
  network: undefined,
};
const BOUNDS = {
  memory_max: "8G",
  cpu_quota: "400%",
  tasks_max: "1000",
  disk_max: "2G",
  boot: true,
  network: "private",
} as const;

Deno.test("withWishes() changes nothing without a wish, whatever is allowed", () => {
  for (const bounds of [NONE, BOUNDS]) {
    assert.deepEqual(withWishes(SETTINGS, bounds, { NSPAWN_OTHER: "x", CI: "true" }), SETTINGS);
  }
});

Deno.test("withWishes() follows wishes up to the bounds", () => {
  const wishes = {
    NSPAWN_MEMORY_MAX: "8192M",
    NSPAWN_CPU_QUOTA: "400%",
    NSPAWN_TASKS_MAX: "1000",
    NSPAWN_DISK_MAX: "2048M",
    NSPAWN_BOOT: "false",
    NSPAWN_NETWORK: "none",
  };
  const { boot, network, limits } = withWishes(SETTINGS, BOUNDS, wishes);
  assert.equal(boot, false);
  assert.equal(network, "none");
  assert.deepEqual(limits, {
    ...SETTINGS.limits,
    memory_max: "8192M",
    cpu_quota: "400%",
    tasks_max: "1000",
    disk_max: "2048M",
  });
});

/** A wish, and what is said of it where that much is allowed. */
const REFUSED: readonly (readonly [string, string, RegExp])[] = [
  ["NSPAWN_MEMORY_MAX", "8193M", /at most 8G is allowed/],
  ["NSPAWN_MEMORY_MAX", "1T", /at most 8G is allowed/],
  ["NSPAWN_MEMORY_MAX", "infinity", /must be bytes/],
  ["NSPAWN_MEMORY_MAX", "80%", /must be bytes/],
  ["NSPAWN_MEMORY_MAX", "", /must be bytes/],
  ["NSPAWN_CPU_QUOTA", "401%", /at most 400% is allowed/],
  ["NSPAWN_CPU_QUOTA", "infinity", /must be a share/],
  ["NSPAWN_TASKS_MAX", "1001", /at most 1000 is allowed/],
  ["NSPAWN_TASKS_MAX", "10\nMemoryMax=infinity", /must be a whole number/],
  ["NSPAWN_NETWORK", "host", /at most private is allowed/],
  ["NSPAWN_NETWORK", "auto", /must be none, private, host/],
  ["NSPAWN_DISK_MAX", "2049M", /at most 2G is allowed/],
  ["NSPAWN_DISK_MAX", "15M", /must be at least 16M/],
  ["NSPAWN_DISK_MAX", "infinity", /must be at least 16M/],
  ["NSPAWN_DISK_MAX", "2G,mode=0777", /must be at least 16M/],
  ["NSPAWN_BOOT", "yes", /must be true or false/],
];

for (const [name, value, reason] of REFUSED) {
  Deno.test(`withWishes() refuses ${name}=${JSON.stringify(value)}`, () => {
    assert.throws(() => withWishes(SETTINGS, BOUNDS, { [name]: value }), {
      kind: "refused",
      message: reason,
    });
  });
}

Deno.test("withWishes() refuses every wish where none is allowed, and names the fix", () => {
  const wishes = {
    NSPAWN_MEMORY_MAX: "1",
    NSPAWN_CPU_QUOTA: "1%",
    NSPAWN_TASKS_MAX: "1",
    NSPAWN_DISK_MAX: "16M",
    NSPAWN_BOOT: "true",
    NSPAWN_NETWORK: "none",
  };
  for (const [name, value] of Object.entries(wishes)) {
    assert.throws(() => withWishes(SETTINGS, NONE, { [name]: value }), {
      kind: "refused",
      message: `Cannot use ${name}: jobs may not change that on this host`,
      hint: /\[overrides\]/,
    });
  }
});
