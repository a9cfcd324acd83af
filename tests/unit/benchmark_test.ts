/** The logic of bench/: its command line, the targets and the report. */

import assert from "node:assert/strict";
import { readOptions } from "../../bench/options.ts";
import { jsonOf, type Report, tableOf } from "../../bench/report.ts";
import { quantile, Samples } from "../../bench/samples.ts";
import {
  aliveStep,
  imageTargets,
  type Ours,
  PULLED,
  SERVICES,
  serviceTarget,
  STEP,
  targets,
} from "../../bench/targets.ts";

const OURS: readonly Ours[] = [
  { label: "script booted", form: "script", kind: "booted" },
  { label: "script plain", form: "script", kind: "plain" },
];

/** Samples of a run in which every call takes its limit. */
function atTheLimits(): Samples {
  const samples = new Samples();
  const add = (group: string, step: string, ms: number) => samples.add(group, step, { ms, cpu: 1 });
  add("script", STEP.empty, 20);
  add("script", STEP.start, 23);
  for (const [call, ms] of [["prepare", 200], ["run", 5], ["cleanup", 50]] as const) {
    add("raw booted", call, ms);
  }
  for (const [call, ms] of [["prepare", 80], ["run", 4], ["cleanup", 10]] as const) {
    add("raw plain", call, ms);
  }
  for (const { label, kind } of OURS) {
    add(label, "config", 28);
    add(label, "prepare", kind === "booted" ? 246.4 : 140);
    add(label, "run", 35);
    add(label, "cleanup", 50);
    add(label, STEP.job, kind === "booted" ? 464.4 : 358);
  }
  return samples;
}

Deno.test("targets() are met by calls that take their limits, and by the job that they make", () => {
  const found = targets(atTheLimits(), OURS, false);
  const limits = found.map(({ group, step, limit }) => [group, step, Math.round(limit * 10) / 10]);
  assert.deepEqual(limits, [
    ["script", "start", 23],
    ["script booted", "config", 28],
    ["script booted", "prepare", 246.4],
    ["script booted", "run", 35],
    ["script booted", "cleanup", 50],
    ["script booted", "job", 464.4],
    ["script plain", "config", 28],
    ["script plain", "prepare", 140],
    ["script plain", "run", 35],
    ["script plain", "cleanup", 50],
    ["script plain", "job", 358],
  ]);
  const over = found.filter(({ ours, limit }) => ours > limit + 1e-9);
  assert.deepEqual(over, []);
  const floors = found.filter(({ step }) => step === "run" || step === "cleanup");
  assert.deepEqual(floors.map(({ floor }) => floor), [25, 70, 24, 30]);
});

Deno.test("targets() allow a disk of the machine's own 60 ms of prepare", () => {
  const limit = (disk: boolean) =>
    targets(atTheLimits(), OURS, disk).find(({ step }) => step === "prepare")!.limit;
  assert.equal(limit(true), limit(false) + 60);
});

Deno.test("targets() judge nothing that was not measured, and that prepare does not grow", () => {
  const samples = new Samples();
  for (const [count, ms] of [[1, 100], [8, 110], [64, 130]] as const) {
    samples.add("script plain", aliveStep(count), { ms, cpu: null });
  }
  const found = targets(samples, OURS, false).map(({ step, met }) => [step, met]);
  assert.deepEqual(found, [["prepare, 8 alive", true], ["prepare, 64 alive", false]]);
});

Deno.test("imageTargets() allow an image 20 ms more than a chroot, and one request with always", () => {
  const samples = new Samples();
  for (
    const [group, step, ms] of [
      [PULLED.chroot, "prepare", 100],
      [PULLED.present, "prepare", 120],
      [PULLED.request, "request", 50],
      [PULLED.always, "prepare", 171],
      [PULLED.changed, PULLED.step, 1000],
    ] as const
  ) samples.add(group, step, { ms, cpu: null });
  const found = imageTargets(samples).map(({ limit, met }) => [limit, met]);
  assert.deepEqual(found, [[120, true], [170, false], [1000, true]]);
});

Deno.test("serviceTarget() allows a job 150 ms more with a service", () => {
  for (const [ms, met] of [[250, true], [251, false]] as const) {
    const samples = new Samples();
    samples.add(SERVICES.without, "prepare", { ms: 100, cpu: null });
    samples.add(SERVICES.one, "prepare", { ms, cpu: null });
    assert.equal(serviceTarget(samples).met, met);
  }
});

function report(): Report {
  const samples = atTheLimits();
  samples.add("script", STEP.start, { ms: 33, cpu: 1 });
  samples.add("docker", "prepare", { ms: 492.8, cpu: 4 });
  return {
    samples,
    targets: targets(samples, OURS, false),
    beside: [["script booted", "docker"]],
    conditions: ["a host"],
    notes: ["a note"],
    unit: "ms",
  };
}

Deno.test("tableOf() prints each group with its targets, comparisons and notes", () => {
  const lines = tableOf(report()).split("\n").map((line) => line.replace(/ +/g, " "));
  assert.equal(lines[0], "a host");
  assert.ok(lines.includes("script median p10 p90 CPU n floor ratio at most"));
  assert.ok(lines.includes("start 28.0 24.0 32.0 1.0 2 20.0 1.40 23.0 missed"));
  assert.ok(lines.includes("docker median p10 p90 CPU n"));
  assert.ok(lines.includes("script booted : docker ours peer ratio CPU peer ratio"));
  assert.ok(lines.includes("prepare 246.4 492.8 0.50 1.0 4.0 0.25"));
  assert.equal(lines.at(-2), "a note");
});

Deno.test("tableOf() leaves out CPU time that was not measured, and knows seconds", () => {
  const samples = new Samples();
  samples.add("ours", "step", { ms: 1234, cpu: null });
  const lines = tableOf({ ...report(), samples, unit: "s" }).split("\n");
  assert.match(lines[3]!, /^step +1\.23 +1\.23 +1\.23 +1$/);
});

Deno.test("jsonOf() contains every measured cost", () => {
  const { samples } = JSON.parse(jsonOf(report()));
  assert.deepEqual(samples["script"]["start"], [{ ms: 23, cpu: 1 }, { ms: 33, cpu: 1 }]);
});

Deno.test("quantile() interpolates, and is NaN without values", () => {
  assert.equal(quantile([3, 1, 2, 4], 0.5), 2.5);
  assert.equal(quantile([1, 2, 3], 0.9), 2.8);
  assert.ok(Number.isNaN(quantile([], 0.5)));
});

Deno.test("readOptions() of the benchmark knows its modes and refuses anything else", () => {
  assert.deepEqual(
    [[], ["--crowd"], ["--alive"], ["--create"], ["--images"], ["--services"]].map((words) => {
      const { mode, rounds } = readOptions(words);
      return `${mode} ${rounds}`;
    }),
    ["jobs 20", "crowd 3", "alive 10", "create 3", "images 10", "services 10"],
  );
  const { only, peer } = readOptions(["--only", "script plain", "--peer=docker"]);
  assert.deepEqual([only, peer], ["script plain", "docker"]);
  const wrong = [["--crowd", "--alive"], ["--plain"], ["word"], ["--rounds=0"], ["--host", "sid"]];
  for (const words of wrong) assert.throws(() => readOptions(words), /^Error: Cannot /);
});
