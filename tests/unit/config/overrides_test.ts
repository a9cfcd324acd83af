import assert from "node:assert/strict";
import {
  applyOverrides,
  areServicesRequired,
  unknownOverrides,
} from "../../../src/config/overrides.ts";
import type { Overrides } from "../../../src/config/settings.ts";
import { SETTINGS } from "../machines/fixture.ts";

const NONE = {
  memory_max: undefined,
  cpu_quota: undefined,
  tasks_max: undefined,
  disk_max: undefined,
  boot: undefined,
  network: undefined,
  services_required: undefined,
};
const BOUNDS = {
  memory_max: "8G",
  cpu_quota: "400%",
  tasks_max: "1000",
  disk_max: "2G",
  boot: true,
  network: "private",
  services_required: true,
} as const;

Deno.test("applyOverrides() changes nothing for a job without its variables, whatever is allowed", () => {
  for (const bounds of [NONE, BOUNDS]) {
    assert.deepEqual(applyOverrides(SETTINGS, bounds, { NSPAWN_OTHER: "x", CI: "true" }), SETTINGS);
  }
});

Deno.test("applyOverrides() applies values up to the bounds", () => {
  const variables = {
    NSPAWN_MEMORY_MAX: "8192M",
    NSPAWN_CPU_QUOTA: "400%",
    NSPAWN_TASKS_MAX: "1000",
    NSPAWN_DISK_MAX: "2048M",
    NSPAWN_BOOT: "false",
    NSPAWN_NETWORK: "none",
  };
  const { boot, network, limits } = applyOverrides(SETTINGS, BOUNDS, variables);
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

/** A variable, its value, and the reason of the refusal. */
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
  ["NSPAWN_NETWORK", "host", /the widest network .* is private/],
  ["NSPAWN_NETWORK", "auto", /must be one of none, private, host/],
  ["NSPAWN_DISK_MAX", "2049M", /at most 2G is allowed/],
  ["NSPAWN_DISK_MAX", "15M", /must be at least 16M/],
  ["NSPAWN_DISK_MAX", "infinity", /must be at least 16M/],
  ["NSPAWN_DISK_MAX", "2G,mode=0777", /must be at least 16M/],
  ["NSPAWN_BOOT", "yes", /must be true or false/],
];

for (const [name, value, reason] of REFUSED) {
  Deno.test(`applyOverrides() refuses ${name}=${JSON.stringify(value)}`, () => {
    assert.throws(() => applyOverrides(SETTINGS, BOUNDS, { [name]: value }), {
      kind: "refused",
      message: reason,
    });
  });
}

Deno.test("applyOverrides() refuses every variable where none is allowed, with a hint", () => {
  const variables = {
    NSPAWN_MEMORY_MAX: "1",
    NSPAWN_CPU_QUOTA: "1%",
    NSPAWN_TASKS_MAX: "1",
    NSPAWN_DISK_MAX: "16M",
    NSPAWN_BOOT: "true",
    NSPAWN_NETWORK: "none",
  };
  for (const [name, value] of Object.entries(variables)) {
    assert.throws(() => applyOverrides(SETTINGS, NONE, { [name]: value }), {
      kind: "refused",
      message: `Cannot use ${name}: jobs may not change that on this host`,
      hint: /\[overrides\]/,
    });
  }
});

Deno.test("areServicesRequired() takes the configuration's word, or the job's where it may set one", () => {
  const required = (
    text: string | undefined,
    isDefault: boolean,
    overrides: Overrides = BOUNDS,
  ) =>
    areServicesRequired(
      { services_required: isDefault, overrides },
      text === undefined ? {} : { NSPAWN_SERVICES_REQUIRED: text },
    );
  for (const isDefault of [true, false]) {
    assert.equal(required(undefined, isDefault), isDefault);
    assert.equal(required("true", isDefault), true);
    assert.equal(required("false", isDefault), false);
  }
  assert.throws(() => required("yes", false), {
    kind: "refused",
    message: /must be true or false/,
  });
  for (const services_required of [false, undefined]) {
    assert.throws(() => required("true", true, { ...BOUNDS, services_required }), {
      kind: "refused",
      message: "Cannot use NSPAWN_SERVICES_REQUIRED: jobs may not change that on this host",
      hint: /\[overrides\]/,
    });
  }
});

/** Variables that a job may set by mistake, and the end of the line about each. */
const UNKNOWN: Readonly<Record<string, string>> = {
  NSPAWN_MEMORY_MX: "did you mean NSPAWN_MEMORY_MAX?",
  NSPAWN_MEMORYMAX: "did you mean NSPAWN_MEMORY_MAX?",
  NSPAWN_NETWROK: "did you mean NSPAWN_NETWORK?",
  NSPAWN_CONTAINER_REGISTRY:
    "known are NSPAWN_MEMORY_MAX, NSPAWN_CPU_QUOTA, NSPAWN_TASKS_MAX, NSPAWN_DISK_MAX, NSPAWN_BOOT, NSPAWN_NETWORK, NSPAWN_SERVICES_REQUIRED",
};

for (const [name, hint] of Object.entries(UNKNOWN)) {
  Deno.test(`unknownOverrides() names ${name}`, () => {
    assert.deepEqual(unknownOverrides({ [name]: "1", NSPAWN_BOOT: "true" }), [
      `Variable "${name}" has no effect: ${hint}`,
    ]);
  });
}

Deno.test("unknownOverrides() is empty for known variables and for those of the config stage", () => {
  const known = {
    NSPAWN_MEMORY_MAX: "1G",
    NSPAWN_CPU_QUOTA: "1%",
    NSPAWN_TASKS_MAX: "1",
    NSPAWN_DISK_MAX: "16M",
    NSPAWN_BOOT: "true",
    NSPAWN_NETWORK: "none",
    NSPAWN_SERVICES_REQUIRED: "true",
  };
  assert.deepEqual(unknownOverrides(known), []);
  assert.deepEqual(
    unknownOverrides({ NSPAWN_RUNNER_MACHINE: "run-1", NSPAWN_RUNNER_BEGAN: "1" }),
    [],
  );
});

Deno.test("unknownOverrides() keeps a name on its line, quoted and cut", () => {
  const [line = ""] = unknownOverrides({ [`NSPAWN_\n${"X".repeat(1000)}`]: "1" });
  assert.ok(!line.includes("\n") && line.length < 250, line);
});
