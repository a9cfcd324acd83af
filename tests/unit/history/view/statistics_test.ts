import assert from "node:assert/strict";
import { spreadOf, summarize } from "../../../../src/history/view/statistics.ts";
import { recordOf, usageOf } from "../fixture.ts";

Deno.test("spreadOf() has the median and the 95th percentile", () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index);
  assert.deepEqual(spreadOf(values), { half: 50, most: 95 });
  assert.deepEqual(spreadOf([7, null, undefined]), { half: 7, most: 7 });
  assert.deepEqual(spreadOf([null]), { half: null, most: null });
});

Deno.test("summarize() groups jobs by outcome, reason, day, image and project", () => {
  const lost = (machine: string) =>
    ({ machine, outcome: "host", reason: `Cannot start machine ${machine}: 12 MiB free` }) as const;
  const pulled = { tree: "ruby:3", digest: "sha256:1" };
  const records = [
    recordOf(),
    recordOf({ ...pulled, wasPulled: true, project: "a/b", usage: usageOf({ cpu: 9_000_000 }) }),
    recordOf({ ...pulled, outcome: "failed", project: null, usage: null, calls: [] }),
    recordOf({ ...lost("run-1"), tree: null, ended: "2030-01-02T00:00:00.000Z" }),
    recordOf({ ...lost("run-23"), tree: null, ended: "2030-01-02T00:00:00.000Z" }),
  ];
  const { all, outcomes, reasons, days, images, projects, parts, pulled: found } = summarize(
    records,
  );
  assert.deepEqual([all.jobs, all.failed, all.ofHost], [5, 3, 2]);
  assert.deepEqual(outcomes, { success: 2, failed: 1, host: 2 });
  assert.deepEqual(reasons, [["Cannot start machine …: … MiB free", 2]]);
  assert.deepEqual(days.map(({ name, jobs, outcomes }) => [name, jobs, outcomes]), [
    ["2030-01-01", 3, { success: 2, failed: 1 }],
    ["2030-01-02", 2, { host: 2 }],
  ]);
  assert.deepEqual(images.map(({ name, jobs }) => [name, jobs]), [
    ["ruby:3", 2],
    ["registry.example/bookworm", 2],
    ["bookworm", 1],
  ]);
  assert.deepEqual(projects.map(({ name, cpu }) => [name, cpu]), [
    ["group/project", 15_000],
    ["a/b", 9_000],
    ["none", 0],
  ]);
  assert.deepEqual(parts[0], ["image", { half: 100, most: 100 }]);
  assert.deepEqual(found, { jobs: 2, pulls: 1 });
});

Deno.test("summarize() tells days on which prepare was slow from others", () => {
  const prepare = (took: number, day: number) =>
    recordOf({
      ended: `2030-01-0${day}T10:00:00.000Z`,
      calls: [{ call: "prepare", at: 0, took }],
    });
  const { days } = summarize([prepare(100, 1), prepare(120, 2), prepare(900, 3)]);
  assert.deepEqual(days.map(({ isSlow }) => isSlow), [false, false, true]);
  assert.deepEqual(summarize([]).days, []);
});

Deno.test("summarize() takes seconds for the jobs of months", () => {
  const records = Array(150_000).fill(recordOf());
  const began = performance.now();
  assert.equal(summarize(records).projects[0]!.jobs, records.length);
  assert.ok(performance.now() - began < 10_000);
});
