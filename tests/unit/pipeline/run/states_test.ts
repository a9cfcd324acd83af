import assert from "node:assert/strict";
import { jobsOfArtifacts } from "../../../../src/pipeline/run/states.ts";
import { job, need, pipelineOf } from "./jobs.ts";

const BEFORE = [
  job("a: [1]", "1", { key: "a" }),
  job("a: [2]", "1", { key: "a" }),
  job("b", "1"),
  job("c", "2"),
];

function artifactsOf(own: Parameters<typeof job>[2]): string[] {
  const last = job("last", "3", own);
  return jobsOfArtifacts(pipelineOf(...BEFORE, last), last).map(({ name }) => name);
}

Deno.test("a job gets the artifacts of all earlier stages", () => {
  assert.deepEqual(artifactsOf({}), ["a: [1]", "a: [2]", "b", "c"]);
});

Deno.test("dependencies choose whose artifacts a job gets, by names or keys", () => {
  assert.deepEqual(artifactsOf({ dependencies: ["a", "c"] }), ["a: [1]", "a: [2]", "c"]);
  assert.deepEqual(artifactsOf({ dependencies: ["a: [2]"] }), ["a: [2]"]);
  assert.deepEqual(artifactsOf({ dependencies: [] }), []);
});

Deno.test("needs choose whose artifacts a job gets, unless they say no", () => {
  assert.deepEqual(artifactsOf({ needs: [need("b"), need("c", { artifacts: false })] }), ["b"]);
  assert.deepEqual(artifactsOf({ needs: [need("b"), need("c")], dependencies: ["c"] }), ["c"]);
});
