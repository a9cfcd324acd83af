import assert from "node:assert/strict";
import { processes } from "../../../src/doctor/processes.ts";
import { find } from "./fixture.ts";

const SYSTEMD = { "/run/systemd/system": "" };

/** TasksMax of the slice, tasks_max, and the states of what is found where the kernel can have 10,000 processes. */
const LIMITS: readonly (readonly [string, string, readonly string[]])[] = [
  ["7000", "6999", ["ok"]],
  ["7001", "6999", ["weak"]],
  ["7000", "7000", ["weak"]],
  ["infinity", "6999", ["ok"]],
  ["infinity", "infinity", ["weak"]],
  ["7000", "69%", ["ok"]],
  ["7000", "70%", ["weak"]],
  ["500", "499", ["ok"]],
  ["500", "500", ["weak"]],
  ["9000", "infinity", ["weak", "weak"]],
];

for (const [slice, machine, expected] of LIMITS) {
  Deno.test(`processes() is ${expected} for ${machine} in a machine and ${slice} in all`, async () => {
    const answer = ([program]: readonly string[]) => ({
      stdout: program === "cat" ? "32768\n10000\n" : `${slice}\n`,
    });
    const found = await find(processes, { files: SYSTEMD, answer }, (folder) =>
      Deno.writeTextFile(
        `${folder}/config.toml`,
        `[limits]\ntasks_max = "${machine}"\n`,
        { append: true },
      ));
    assert.deepEqual(found.map(({ state }) => state), expected);
    assert.ok(found.every(({ state, fix }) => (state === "ok") === (fix === null)));
  });
}

Deno.test("processes() finds nothing where limits are not enforced", async () => {
  assert.deepEqual(await find(processes, {}), []);
});
