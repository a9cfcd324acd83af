import assert from "node:assert/strict";
import { chooseJobs } from "../../../../src/pipeline/run/choose_jobs.ts";
import { job, need, pipelineOf } from "./jobs.ts";

const PIPELINE = pipelineOf(
  job("build: [x]", "1", { key: "build" }),
  job("build: [y]", "1", { key: "build" }),
  job("lint", "1"),
  job("excluded", "1", { when: "never" }),
  job("unit", "2", { needs: [need("build: [x]")] }),
  job("docs", "2", { dependencies: ["lint"] }),
  job("system", "3", { needs: [need("unit")] }),
);

const chosen = (...words: string[]) => chooseJobs(PIPELINE, words).jobs.map(({ name }) => name);

Deno.test("without a choice all jobs run that rules do not exclude", () => {
  const names = ["build: [x]", "build: [y]", "lint", "unit", "docs", "system"];
  assert.deepEqual(chosen(), names);
});

Deno.test("a job brings those that it needs, and theirs", () => {
  assert.deepEqual(chosen("system"), ["build: [x]", "unit", "system"]);
  assert.deepEqual(chosen("docs"), ["lint", "docs"]);
  assert.deepEqual(chosen("lint"), ["lint"]);
});

Deno.test("a key chooses all jobs that parallel made of it", () => {
  assert.deepEqual(chosen("build"), ["build: [x]", "build: [y]"]);
  assert.deepEqual(chosen("build: [y]"), ["build: [y]"]);
});

Deno.test("an unknown job is refused with the most similar one", () => {
  assert.throws(() => chosen("lnt"), { message: /"lnt".*no such job/, hint: /"lint"/ });
  assert.throws(() => chosen("something"), { hint: /--list/ });
});

Deno.test("a job that its rules exclude is refused", () => {
  assert.throws(() => chosen("excluded"), { message: /its rules exclude it/ });
  const pipeline = pipelineOf(job("excluded", "1", { when: "never" }));
  assert.throws(() => chooseJobs(pipeline, []), { message: /exclude all of them/ });
});

Deno.test("a job that needs one that is not in the pipeline is refused", () => {
  const pipeline = pipelineOf(
    job("build", "1", { when: "never" }),
    job("test", "2", { needs: [need("build")] }),
  );
  assert.throws(() => chooseJobs(pipeline, []), { message: /"test": it needs "build"/ });
  const optional = pipelineOf(job("test", "2", { needs: [need("build", { optional: true })] }));
  assert.equal(chooseJobs(optional, []).jobs.length, 1);
});
