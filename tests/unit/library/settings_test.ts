import assert from "node:assert/strict";
import { settingsOf } from "../../../src/library/settings.ts";
import type { MachineOptions } from "../../../src/library/types.ts";

Deno.test("settingsOf() returns the settings that options hold, as the configuration would have them", () => {
  assert.deepEqual(settingsOf({ image: "x" }), { limits: {} });
  const options: MachineOptions = {
    boot: false,
    network: "none",
    user: "ci",
    binds: ["/a:/b:ro"],
    limits: { tasks_max: "100", cpu_weight: 10 },
    services: [{ name: "postgres:17", alias: "db" }],
  };
  assert.deepEqual(settingsOf(options), {
    boot: false,
    network: "none",
    user: "ci",
    binds: ["/a:/b:ro"],
    limits: { tasks_max: "100", cpu_weight: 10 },
    services: [{ name: "postgres:17", alias: "db", entrypoint: [], command: [], variables: {} }],
  });
});

Deno.test("settingsOf() refuses values that the configuration would not have", () => {
  const cases: readonly (readonly [unknown, RegExp])[] = [
    [{ boot: "yes" }, /boot must be true or false/],
    [{ network: "bridge" }, /network must be "auto", "private", "host" or "none"/],
    [{ binds: ["/a"] }, /binds must be a list of/],
    [{ limits: { tasks_max: "many" } }, /limits\.tasks_max must be/],
    [{ img: "bookworm" }, /there is no option img$/],
    [{ limits: { tasks: 1 } }, /there is no option limits\.tasks$/],
    [{ services: [{ image: "x" }] }, /services must be a list of/],
    [{ lifetime: NaN }, /lifetime must be a number of seconds/],
    [{ lifetime: -1 }, /lifetime must be a number of seconds/],
    [{ lifetime: "1h" }, /lifetime must be a number of seconds/],
    [{ variables: { "a=b": "" } }, /"a=b" is not valid/],
  ];
  for (const [options, message] of cases) {
    assert.throws(() => settingsOf(options as MachineOptions), { kind: "refused", message });
  }
});
