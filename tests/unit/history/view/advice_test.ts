import assert from "node:assert/strict";
import type { JobRecord } from "../../../../src/history/record.ts";
import { adviseOn } from "../../../../src/history/view/advice.ts";
import { recordOf, usageOf } from "../fixture.ts";

for (
  const [what, changes, advice] of [
    ["a job without trouble", {}, []],
    ["a job that was abandoned", { outcome: "abandoned", reason: "its GitLab Runner has ended" }, [
      /journalctl -u gitlab-runner$/,
    ]],
    ["a rebooted host", { outcome: "abandoned", reason: "the host was rebooted" }, []],
    ["a machine that was lost", { outcome: "lost" }, [/journalctl -u nspawn-runner-run-42-/]],
    ["a machine that did not start", { outcome: "host" }, [
      /nspawn-runner doctor --machine bookworm$/,
    ]],
    ["an odd image", { outcome: "host", tree: null, image: "a; b" }, [/nspawn-runner doctor$/]],
    ["a job that was refused", { outcome: "refused" }, [/nspawn-runner config$/]],
    ["a start whose failure had a hint", { outcome: "host", lines: ["Free disk space"] }, []],
    ["a refusal that had a hint", { outcome: "refused", lines: ["Available chroots: a"] }, []],
    ["a program that is missing", { outcome: "failed", code: 127 }, [/^Exit code 127: the image/]],
    ["another exit code", { outcome: "failed", code: 3 }, []],
    ["processes that were killed", { usage: usageOf({ oomKills: 2 }) }, [/: 2\. .*memory_max$/]],
    ["much memory", { usage: usageOf({ memoryPeak: 2 ** 31 - 1 }) }, [/close to 2\.0 GiB\. Raise/]],
    [
      "what the log explains",
      { usage: usageOf({ oomKills: 2 }), lines: ["can raise limits.memory_max"] },
      [],
    ],
    ["a long wait for memory", { usage: usageOf({ memoryStalled: 12_000_000 }) }, [
      /waited 12\.0 s for memory\. Raise limits\.memory_high$/,
    ]],
    ["many tasks", { usage: usageOf({ tasksPeak: 99 }) }, [
      /close to 100\. Raise limits\.tasks_max/,
    ]],
    ["no counters", { usage: null }, []],
    ["a slow prepare", {
      wasPulled: true,
      calls: [{ call: "prepare", at: 0, took: 0, parts: { queue: 3e3, host: 6e3, image: 3e4 } }],
    }, [
      /waited 3\.0 s for other/,
      /crashed jobs for 6\.0 s.*nspawn-runner doctor$/,
      /pull took 30\.0 s.*image-pull$/,
    ]],
    ["a slow registry", {
      calls: [{ call: "prepare", at: 0, took: 0, parts: { image: 3e4 } }],
    }, [/waited 30\.0 s for the image, its registry/]],
  ] satisfies readonly (readonly [string, Partial<JobRecord>, readonly RegExp[]])[]
) {
  Deno.test(`adviseOn() ${what}`, () => {
    const given = adviseOn(recordOf(changes));
    assert.equal(given.length, advice.length, given.join("\n"));
    for (const [index, pattern] of advice.entries()) assert.match(given[index]!, pattern);
  });
}
