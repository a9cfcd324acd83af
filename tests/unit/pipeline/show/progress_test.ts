import assert from "node:assert/strict";
import type { JobProgress } from "../../../../src/pipeline/run/run_jobs.ts";
import {
  formatResults,
  formatStatus,
  resultsAsJson,
} from "../../../../src/pipeline/show/progress.ts";
import { jobsAsJson } from "../../../../src/pipeline/show/plan.ts";
import { job, pipelineOf, result } from "../run/jobs.ts";

const ALL: readonly JobProgress[] = [
  {
    job: job("compile", "build"),
    state: "passed",
    results: [result("script", 2), result("success")],
  },
  { job: job("unit", "test"), state: "failed", results: [result("script", 3)] },
  { job: job("slow", "test"), state: "failed", results: [result("timeout"), result("timeout")] },
  { job: job("flaky", "test"), state: "warned", results: [result("system")] },
  { job: job("e2e", "test"), state: "running", results: [] },
  { job: job("publish", "deploy"), state: "skipped", results: [] },
  { job: job("gate", "deploy"), state: "manual", results: [] },
];

const PROGRESS = new Map(ALL.map((one) => [one.job.name, one]));

Deno.test("the status has a line for each running job and a count of all states", () => {
  const other = { job: job("a-longer-one", "deploy"), state: "running", results: [] } as const;
  assert.equal(
    formatStatus(
      new Map([...PROGRESS, ["a-longer-one", other]]),
      (name) => name === "e2e" ? 90 : 0,
    ),
    "  test    e2e           1min\n  deploy  a-longer-one  0 s\n2 running, 1 passed, 1 warned, 2 failed, 1 skipped, 1 manual\n",
  );
});

Deno.test("the table at the end tells how each job ended and why", () => {
  assert.equal(
    formatResults(PROGRESS),
    `STAGE   JOB      STATE    TIME   REASON
build   compile  passed   2.0 s  attempt 2
test    unit     failed   1.0 s  exit code 3
test    slow     failed   2.0 s  timeout, attempt 2
test    flaky    warned   1.0 s  the host failed; it may fail
test    e2e      running  -
deploy  publish  skipped  -      an earlier job failed or was skipped
deploy  gate     manual   -      name the job to run it
`,
  );
});

Deno.test("the name of a job cannot control a terminal", () => {
  const hostile: JobProgress = { job: job("\x1b[2J", "test"), state: "running", results: [] };
  const progress = new Map([["x", hostile]]);
  assert.ok(!formatStatus(progress, () => 1).includes("\x1b"));
  assert.ok(!formatResults(progress).includes("\x1b"));
});

Deno.test("JSON cannot control a terminal", () => {
  const image = { name: "\x9b2J" };
  const json = jobsAsJson(pipelineOf(job("a", "test", { image })));
  assert.ok(!json.includes("\x9b"));
  assert.deepEqual(JSON.parse(json).jobs[0].image, image.name);
});

Deno.test("JSON has the state of the pipeline", () => {
  const stateOf = (...states: JobProgress["state"][]) => {
    const all = states.map((state, index) => ({ job: job(`${index}`, "1"), state, results: [] }));
    return JSON.parse(resultsAsJson(new Map(all.map((one) => [one.job.name, one])))).state;
  };
  assert.equal(stateOf("passed", "warned", "skipped", "manual"), "passed");
  assert.equal(stateOf("passed", "manual", "blocked"), "blocked");
  assert.equal(stateOf("passed", "cancelled", "blocked"), "cancelled");
  assert.equal(stateOf("failed", "cancelled"), "failed");
});

Deno.test("JSON has times in milliseconds", () => {
  const results = [{ ...result("success"), seconds: 1.1174302699999998 }];
  const json = resultsAsJson(new Map([["a", { job: job("a", "1"), state: "passed", results }]]));
  assert.equal(JSON.parse(json).jobs[0].attempts[0].seconds, 1.117);
});
