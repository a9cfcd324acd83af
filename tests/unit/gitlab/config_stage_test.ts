import assert from "node:assert/strict";
import { configAnswer, type Decisions, decisionsOf } from "../../../src/gitlab/config_stage.ts";

const DECISIONS: Decisions = {
  machine: "run-7-ba7816bf",
  server: "ba7816bf8f01cfea414140de5dae2223",
  chroot: "bookworm",
  began: 1893456000000,
  took: 40,
};

Deno.test("configAnswer() passes decisions to later stages", () => {
  const others = [{ server: undefined, chroot: undefined }, { chroot: null }];
  for (const decisions of [DECISIONS, ...others.map((other) => ({ ...DECISIONS, ...other }))]) {
    const answer = configAnswer({ hostname: "h", shell: "bash", decisions });
    const env: Readonly<Record<string, string>> = answer.job_env ?? {};
    assert.deepEqual(decisionsOf((name) => env[name]), decisions);
    for (const name of Object.keys(env)) assert.match(name, /^NSPAWN_RUNNER_[A-Z]+$/);
  }
});

Deno.test("configAnswer() leaves out unknown fields", () => {
  const answer = configAnswer({ hostname: "h", shell: undefined, decisions: undefined });
  assert.deepEqual(Object.keys(answer).sort(), [
    "builds_dir",
    "builds_dir_is_shared",
    "cache_dir",
    "driver",
    "hostname",
  ]);
  assert.equal(decisionsOf(() => undefined), undefined);
});
