import assert from "node:assert/strict";
import { formatCommands, formatJobs, jobsAsJson } from "../../../../src/pipeline/show/plan.ts";
import { job, need, pipelineOf } from "../run/jobs.ts";

const PIPELINE = pipelineOf(
  job("compile", "build", { image: { name: "bookworm" } }),
  job("flaky", "test", {
    allowFailure: [3],
    needs: [need("compile")],
    retry: { max: 2, when: ["always"], exitCodes: [] },
    timeout: 90,
  }),
  job("later", "test", { when: "delayed", startIn: 5, needs: [] }),
);

Deno.test("the list has all that decides when and how often a job runs", () => {
  assert.equal(
    formatJobs(PIPELINE),
    `STAGE  JOB      WHEN                                         IMAGE     NEEDS
build  compile  on_success                                   bookworm
test   flaky    on_success, may fail, retry 2, timeout 90 s            compile
test   later    delayed by 5.0 s                                       nothing
`,
  );
});

Deno.test("JSON has time limits in seconds, and retries", () => {
  const { jobs } = JSON.parse(jobsAsJson(PIPELINE));
  assert.deepEqual(jobs.map((one: { retry: number }) => one.retry), [0, 2, 0]);
  assert.deepEqual(jobs.map((one: { timeout: number }) => one.timeout), [3600, 90, 3600]);
});

Deno.test("commands stand below a line that describes their job", () => {
  assert.match(
    formatCommands(PIPELINE),
    /^build: compile, on_success, image bookworm\n {4}true\n\ntest: flaky, .*timeout 90 s\n/,
  );
});
