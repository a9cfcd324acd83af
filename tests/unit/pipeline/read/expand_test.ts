import assert from "node:assert/strict";
import { read, readJob, testReader } from "./expanded.ts";

testReader("expand() makes the jobs of a matrix, with GitLab's names", async () => {
  const { jobs } = await read(`
build:
  script: make
  parallel:
    matrix:
      - OS: [linux, mac]
        V: [1, 2]
`);
  assert.deepEqual(jobs.map(({ name }) => name), [
    "build: [linux, 1]",
    "build: [linux, 2]",
    "build: [mac, 1]",
    "build: [mac, 2]",
  ]);
  assert.deepEqual(jobs[2]!.variables, { OS: "mac", V: "1" });
  assert.deepEqual(jobs[2]!.node, { index: 3, total: 4 });
});

testReader("expand() gives a job the defaults", async () => {
  const job = await readJob(`
default:
  image: {name: alpine, pull_policy: if-not-present, docker: {user: "1000"}}
  timeout: 1h 30m
  retry: {max: 2, when: script_failure}
  interruptible: false
build:
  script: make
`);
  assert.deepEqual(job.image, {
    name: "alpine",
    pull_policy: ["if-not-present"],
    docker: { user: "1000" },
  });
  assert.equal(job.timeout, 5400);
  assert.deepEqual(job.retry, { max: 2, when: ["script_failure"], exitCodes: [] });
  assert.equal(job.interruptible, false);
});
