import assert from "node:assert/strict";
import { parseServices } from "../../../src/gitlab/job_services.ts";

const NO_OPTIONS = { entrypoint: null, pullPolicies: [], user: null, platform: null };

Deno.test("parseServices() reads services as GitLab Runner writes them into the response file", () => {
  const options = { docker: { platform: "linux/arm64", user: "1000" }, kubernetes: { user: "" } };
  const services = parseServices([{
    name: "postgres:16",
    alias: "db,database pg",
    entrypoint: ["run", ""],
    command: ["-c", "fsync=off"],
    variables: [
      { key: "A", value: "$B", public: false, file: false, masked: false, raw: true },
      { key: "C", value: "" },
      { key: "D", value: 1 },
      null,
    ],
    pull_policy: ["always", "never"],
    executor_opts: options,
    ports: [],
  }]);
  assert.deepEqual(services, [{
    name: "postgres:16",
    alias: "db,database pg",
    entrypoint: ["run", ""],
    command: ["-c", "fsync=off"],
    variables: [
      { key: "A", value: "$B", isRaw: true },
      { key: "C", value: "", isRaw: false },
    ],
    options: {
      entrypoint: ["run", ""],
      pullPolicies: ["always", "never"],
      user: "1000",
      platform: "linux/arm64",
    },
  }]);
});

Deno.test("parseServices() reads services of CI_JOB_SERVICES, and bare names", () => {
  const rest = { command: [], variables: [], entrypoint: null, options: NO_OPTIONS };
  assert.deepEqual(
    parseServices([{ name: "redis", alias: "x", entrypoint: null, command: null }]),
    [
      { name: "redis", alias: "x", ...rest },
    ],
  );
  assert.deepEqual(parseServices(["postgres", { name: "" }]), [
    { name: "postgres", alias: "", ...rest },
    { name: "", alias: "", ...rest },
  ]);
});

Deno.test("parseServices() leaves out what is no service", () => {
  for (const list of [undefined, null, {}, "redis", [null, {}, { name: 7 }, ["a"], 1]]) {
    assert.deepEqual(parseServices(list), []);
  }
});
