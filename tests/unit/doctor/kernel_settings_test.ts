import assert from "node:assert/strict";
import { kernelSettings } from "../../../src/doctor/kernel_settings.ts";
import { find } from "./fixture.ts";

/** For each setting its topic, values that keep programs of jobs from the host, and values that do not. */
const SETTINGS: readonly (readonly [string, string, readonly string[], readonly string[]])[] = [
  ["core_pattern", "core dumps", ["core", "/var/crash/%p"], [
    "|/usr/lib/systemd/systemd-coredump %P",
    "@/run/coredump.socket",
  ]],
  ["unprivileged_bpf_disabled", "bpf", ["1", "2"], ["0"]],
  ["perf_event_paranoid", "perf", ["2", "3"], ["1", "0", "-1"]],
  ["dmesg_restrict", "kernel log", ["1"], ["0"]],
];

for (const [name, topic, good, bad] of SETTINGS) {
  Deno.test(`kernelSettings() judges ${name}, and has no row for a kernel without it`, async () => {
    const judge = (value: string) => {
      const answer = ([program, , path]: readonly string[]) =>
        program === "cat" && path === `/proc/sys/kernel/${name}`
          ? { stdout: value === "" ? "" : `${value}\n` }
          : { code: 1 };
      return find(kernelSettings, { answer });
    };
    assert.deepEqual(await judge(""), []);
    for (const value of [...good, ...bad]) {
      const [finding, ...others] = await judge(value);
      assert.deepEqual(others, []);
      assert.equal(finding?.topic, topic);
      assert.ok(finding?.found.endsWith(`kernel.${name} is ${value}`), finding?.found);
      assert.equal(finding?.state, bad.includes(value) ? "weak" : "ok", value);
      // What the fix says is itself good.
      const better = finding?.fix?.match(new RegExp(`kernel\\.${name} = (\\S+) `))?.[1];
      assert.equal(better === undefined, good.includes(value));
      if (better !== undefined) assert.ok(good.includes(better), better);
    }
  });
}
